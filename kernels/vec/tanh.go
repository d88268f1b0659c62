package vec

import (
	"math"

	"github.com/mminfer/mminfer/kernels"
)

// Tanh computes dst = tanh x, by Cephes' polynomial (tanhf) below 0.625 and as 1 - 2/(e²ˣ+1)
// above. It is plain Go: its uses are low-rank vectors.
func Tanh(dst, x []float32) {
	same("Tanh", len(dst), len(x))
	for i, v := range x {
		dst[i] = tanh1(v)
	}
}

func tanh1(x float32) float32 {
	a := float32(math.Abs(float64(x)))
	if a >= 0.625 {
		return float32(math.Copysign(float64(1-2/(exp1(2*a)+1)), float64(x)))
	}
	z := float32(x * x)
	p := kernels.FMA(-5.70498872745e-3, z, 2.06390887954e-2)
	p = kernels.FMA(p, z, -5.37397155531e-2)
	p = kernels.FMA(p, z, 1.33314422036e-1)
	p = kernels.FMA(p, z, -3.33332819422e-1)
	return kernels.FMA(float32(p*z), x, x)
}
