package vec

import (
	"math"

	"github.com/mminfer/mminfer/kernels"
)

// GELU computes dst = x·Φ(x), Φ the distribution function of the normal distribution, within
// |x|·2⁻²³ of the exact function.
//
// Source: Hendrycks and Gimpel 2016, arXiv:1606.08415.
func GELU(dst, x []float32) {
	same("GELU", len(dst), len(x))
	gelu(dst, x)
}

// The polynomial is ln Φ(-t) on [0, 8], minimax weighted by Φ(-t)^0.7; its exponential, with rounded
// coefficients, is within 1.3e-8 of Φ(-t). Beyond 8, Φ(-t) counts as 1e-15.
const (
	geluMax = 8
	gelu9   = 2.3102406032649014e-07
	gelu8   = -4.836046628042823e-06
	gelu7   = 4.151132088736631e-05
	gelu6   = -0.00016505917301401496
	gelu5   = -4.517972774920054e-05
	gelu4   = 0.00485922209918499
	gelu3   = -0.03637457638978958
	gelu2   = -0.31830033659935
	gelu1c  = -0.7978854179382324
	gelu0   = -0.6931471824645996
)

// gelu1 is the GELU of one element.
func gelu1(x float32) float32 {
	t := float32(math.Abs(float64(x)))
	if geluMax < t {
		t = geluMax
	}
	p := kernels.FMA(gelu9, t, gelu8)
	p = kernels.FMA(p, t, gelu7)
	p = kernels.FMA(p, t, gelu6)
	p = kernels.FMA(p, t, gelu5)
	p = kernels.FMA(p, t, gelu4)
	p = kernels.FMA(p, t, gelu3)
	p = kernels.FMA(p, t, gelu2)
	p = kernels.FMA(p, t, gelu1c)
	p = kernels.FMA(p, t, gelu0)
	phi := exp1(p)
	if !(x < 0) {
		phi = 1 - phi
	}
	return x * phi
}

func geluGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = gelu1(v)
	}
}
