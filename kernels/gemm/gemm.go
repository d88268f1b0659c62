// Package gemm multiplies activations by weights that lie in panels.
//
// A panel holds 16 rows of a weight matrix interleaved along k, [k][16], so that a SIMD lane is
// a row, an output; the last panel of a matrix is padded with zero rows. For token t and row r
//
//	dst[t,r] = Σ_k w[r,k]·x[t,k]
//
// is accumulated by fused multiply-adds in the order of k, in runs of [Run] whose sums are added
// in order: an output's bits depend neither on the number of tokens nor on how rows and tokens
// are shared among workers or instruction sets. With add, dst is added to as if it were the sum
// of an earlier run.
package gemm

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels"
)

const (
	// Rows is the number of rows of a panel.
	Rows = 16
	// Run is the length of the runs along k.
	Run = 256
)

// Panels returns how many panels hold so many rows.
func Panels(rows int) int { return (rows + Rows - 1) / Rows }

// Dims are the sizes of one product. Strides count elements between rows.
type Dims struct {
	Tokens, Rows, K int
	DstStride       int
	XStride         int
	PanelK          int // columns that a panel has room for, K if 0
}

// panelK is the number of columns from one panel to the next.
func (d Dims) panelK() int {
	if d.PanelK == 0 {
		return d.K
	}
	return d.PanelK
}

// F32 multiplies by float32 weights: dst [Tokens, Rows], x [Tokens, K], w [Panels(Rows), PanelK, 16].
// dst must not overlap the inputs. It panics if a slice is too short.
func F32(dst, x, w []float32, d Dims, add bool) {
	d.check("F32", len(dst), len(x), len(w), Rows)
	f32(dst, x, w, d, add)
}

// BF16 multiplies by bfloat16 weights, which widen exactly; otherwise as [F32].
func BF16(dst, x []float32, w []uint16, d Dims, add bool) {
	d.check("BF16", len(dst), len(x), len(w), Rows)
	bf16(dst, x, w, d, add)
}

// F16 multiplies by half-precision weights, which widen exactly; otherwise as [F32].
func F16(dst, x []float32, w []uint16, d Dims, add bool) {
	d.check("F16", len(dst), len(x), len(w), Rows)
	f16(dst, x, w, d, add)
}

// check panics unless every access of the product lies within its slice. A panel of w takes
// column elements for each column.
func (d Dims) check(name string, dst, x, w, column int) {
	if d.Tokens < 0 || d.Rows < 0 || d.K < 0 || d.DstStride < d.Rows || d.XStride < d.K || d.panelK() < d.K {
		panic(fmt.Sprintf("gemm.%s: bad sizes %+v", name, d))
	}
	if d.Tokens == 0 || d.Rows == 0 {
		return
	}
	needDst, needX := (d.Tokens-1)*d.DstStride+d.Rows, (d.Tokens-1)*d.XStride+d.K
	needW := ((Panels(d.Rows)-1)*d.panelK() + d.K) * column
	if dst < needDst || x < needX || w < needW {
		panic(fmt.Sprintf("gemm.%s: %+v needs dst %d, x %d, w %d elements, got %d, %d, %d", name, d, needDst, needX, needW, dst, x, w))
	}
}

// floatGeneric is the product with weights widened by load.
func floatGeneric[W float32 | uint16](dst, x []float32, w []W, d Dims, add bool, load func(W) float32) {
	for t := range d.Tokens {
		for r := range d.Rows {
			panel := w[r/Rows*Rows*d.panelK()+r%Rows:]
			out := &dst[t*d.DstStride+r]
			for from := 0; from < d.K || from == 0; from += Run {
				var sum float32
				for k := from; k < min(from+Run, d.K); k++ {
					sum = kernels.FMA(load(panel[k*Rows]), x[t*d.XStride+k], sum)
				}
				if from > 0 || add {
					sum += *out
				}
				*out = sum
			}
		}
	}
}
