package vec

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// TestGELU allows Φ(-|x|) 1.3e-8 for the polynomial and, relative to it, 1.5 units for the
// exponential and ¾ of a unit of the polynomial's value for its roundings; the subtraction and the
// product round once more each.
func TestGELU(t *testing.T) {
	kerneltest.All(t, "vec.GELU", func(h *kerneltest.H) {
		check := func(x []float32) {
			in, dst := kerneltest.In(h, x), kerneltest.Out[float32](h, len(x))
			GELU(dst, in)
			h.Within("GELU", dst, func(i int) (float64, float64) {
				v := float64(x[i])
				phi := 0.5 * math.Erfc(math.Abs(v)/math.Sqrt2)
				p := -math.Log(math.Max(phi, 6e-16))
				bound := math.Abs(v) * (1.3e-8 + phi*(3*0x1p-24+1.5*p*0x1p-24) + 0x1p-24)
				y := 0.5 * v * math.Erfc(-v/math.Sqrt2)
				return y, bound + 0x1p-24*math.Abs(y) + 0x1p-149
			})
			h.Check("GELU n=%d", len(x))
			io := kerneltest.InOut(h, x)
			GELU(io, io)
			h.Check("GELU in place n=%d", len(x))
		}
		kerneltest.Lengths(func(n int) { check(h.Uniform(n, -9, 9)) })
		check(h.Uniform(20_000, -3, 3))
		check(h.Uniform(2_000, -100, 100))
		for _, x := range kerneltest.Specials {
			if !math.IsInf(float64(x), 0) {
				check([]float32{x})
			}
		}
		patterns := kerneltest.InOut(h, h.Patterns(10_000))
		GELU(patterns, patterns)
		h.Check("GELU patterns")
	})
}
