package tensor

import (
	"math/bits"
	"unsafe"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/vec"
)

// pairs is a matrix in bfloat16, two columns in an element: see [gemm.BF16Dot]. Rows are stride elements apart.
type pairs struct {
	data   []uint32
	stride int
}

// newPairs returns a matrix of unspecified values.
func (w *Workspace) newPairs(rows, cols int) pairs {
	m := w.Mat(rows, (cols+1)/2)
	return pairs{bitsOf(m.Data), m.Stride}
}

// pairs rounds a matrix.
func (w *Workspace) pairs(x Mat) pairs {
	p := w.newPairs(x.Rows, x.Cols)
	for i := range x.Rows {
		p.round(i, x.Row(i))
	}
	return p
}

// round sets row i to x, rounded to nearest, ties to even.
func (p pairs) round(i int, x []float32) {
	row := p.data[i*p.stride:][:(len(x)+1)/2]
	half := unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(row))), 2*len(row))
	vec.ToBF16(half[:len(x)], x)
	clear(half[len(x):])
	if bigEndian() {
		for i, v := range row {
			row[i] = bits.RotateLeft32(v, 16)
		}
	}
}

// multiplyPairs multiplies by panels of pairs, from the given panel and column, which is even. d counts columns.
func (p *panels) multiplyPairs(dst []float32, x pairs, panel, column int, d gemm.Dims, add bool) {
	w := view[uint32](p.data[panel*p.size():])[column/2*gemm.Rows:]
	d.K, d.XStride, d.PanelK = (d.K+1)/2, x.stride, (d.PanelK+1)/2
	gemm.BF16Dot(dst, x.data, w, d, add)
}
