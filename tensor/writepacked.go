package tensor

import (
	"encoding/binary"
	"io"

	"github.com/mminfer/mminfer/kernels/gemm"
)

// PanelRows is the number of rows of a panel.
const PanelRows = gemm.Rows

// chunkBytes is about how much of a packed tensor is made at a time.
const chunkBytes = 8 << 20

// WritePacked writes the data of [PackedTensor]: the rows of t, its elements by its last axis, in the
// given formats. Importance, [columns] or nil, weighs the errors of rounding to fewer than 8 bits: see
// [quant.Code.Fit]. The pool shares the work; the rows must cover those of t.
func WritePacked(w io.Writer, pool *Pool, t Tensor, rows []PackedRows, importance []float32) error {
	cols := t.columns()
	t = t.matrix()
	from := 0
	for _, r := range rows {
		size := formats[r.Format].panel(cols)
		step := max(1, chunkBytes/size/panelsPerPart) * panelsPerPart * gemm.Rows
		buf := make([]byte, gemm.Panels(min(step, r.Rows))*size)
		for at := 0; at < r.Rows; at += step {
			n := min(step, r.Rows-at)
			p := &packing{panels: panels{format: r.Format, cols: cols, rows: n}, parts: t.Rows(from+at, from+at+n).runs(), importance: importance}
			p.data = buf[:gemm.Panels(n)*size]
			clear(p.data)
			pool.Run((gemm.Panels(n)+panelsPerPart-1)/panelsPerPart, p)
			p.littleEndian()
			if _, err := w.Write(p.data); err != nil {
				return err
			}
		}
		pad := PackedSize(r.Format, r.Rows, cols) - gemm.Panels(r.Rows)*size
		if _, err := w.Write(make([]byte, pad)); err != nil {
			return err
		}
		from += r.Rows
	}
	return nil
}

// matrix returns the tensor with the last axis as its columns.
func (t Tensor) matrix() Tensor {
	cols := t.columns()
	t.Shape = []int{t.Elements() / cols, cols}
	return t
}

// littleEndian turns the floats of panels around on a machine of the other byte order.
func (p *panels) littleEndian() {
	if formats[p.format].eight || !bigEndian() {
		return
	}
	if p.format == FormatF32 || p.format == FormatBF16Dot {
		for i, v := range view[uint32](p.data) {
			binary.LittleEndian.PutUint32(p.data[4*i:], v)
		}
		return
	}
	for i, v := range view[uint16](p.data) {
		binary.LittleEndian.PutUint16(p.data[2*i:], v)
	}
}
