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

// TestAffineColumns holds every row to [Affine] of it alone.
func TestAffineColumns(t *testing.T) {
	kerneltest.All(t, "quant.AffineColumns", func(h *kerneltest.H) {
		for groups := range 6 {
			k := groups * Group
			q, scale, least := make([]byte, k*Rows), h.Normal(groups*Rows, 1), h.Normal(groups*Rows, 9)
			for i := range q {
				q[i] = byte(i*7 + groups)
			}
			if groups > 2 {
				scale[1], least[2] = 0, float32(math.Copysign(0, -1))
				copy(scale[3*Rows-len(kerneltest.Specials):], kerneltest.Specials)
				copy(least[2*Rows-len(kerneltest.Specials):], kerneltest.Specials)
			}
			dst := kerneltest.InOut(h, make([]float32, k*Rows))
			AffineColumns(dst, kerneltest.In(h, q), kerneltest.In(h, scale), kerneltest.In(h, least))
			for r := range Rows {
				row, codes := make([]float32, k), make([]byte, k)
				scales, minima := make([]float32, groups), make([]float32, groups)
				for i := range codes {
					codes[i] = q[(i/4*Rows+r)*4+i%4]
				}
				for g := range scales {
					scales[g], minima[g] = scale[g*Rows+r], least[g*Rows+r]
				}
				affineGeneric(row, codes, scales, minima)
				for i, want := range row {
					if v := dst[i*Rows+r]; v != want && (v == v || want == want) {
						h.Fatalf("%d groups: element %d of row %d is %g, want %g", groups, i, r, v, want)
					}
				}
			}
			h.Check("%d groups", groups)
		}
	})
}
