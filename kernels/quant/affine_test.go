package quant

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// TestAffine holds every code to its formula in float64: the product of 8 and 12 bits is exact, the sum
// rounded once.
func TestAffine(t *testing.T) {
	kerneltest.All(t, "quant.Affine", func(h *kerneltest.H) {
		for groups := range 20 {
			n := groups * Group
			q, scale, least := make([]byte, n), h.Normal(groups, 1), h.Normal(groups, 9)
			for i := range q {
				q[i] = byte(i*7 + groups)
			}
			for g := range scale {
				scale[g] = math.Float32frombits(math.Float32bits(scale[g]) &^ 0xfff)
			}
			if groups > 2 {
				scale[1], least[2] = 0, float32(math.Copysign(0, -1))
			}
			dst := kerneltest.InOut(h, make([]float32, n))
			Affine(dst, kerneltest.In(h, q), kerneltest.In(h, scale), kerneltest.In(h, least))
			for i, v := range dst {
				if want := float32(float64(scale[i/Group])*float64(int8(q[i])) + float64(least[i/Group])); v != want {
					h.Fatalf("%d groups: element %d is %g, want %g", groups, i, v, want)
				}
			}
			h.Check("%d groups", groups)
		}
		q := make([]byte, Group)
		for _, s := range kerneltest.Specials {
			q[3] = 0x80
			Affine(kerneltest.InOut(h, make([]float32, Group)), q, []float32{s}, []float32{-s})
			h.Check("special %g", s)
		}
	})
}
