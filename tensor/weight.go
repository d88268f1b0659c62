package tensor

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
)

// Weight is a matrix packed in panels of 16 rows for multiplication. It is immutable.
type Weight struct {
	Format     Format // of the first rows
	Rows, Cols int
	parts      []panels // one below the other; floats in the machine's byte order
	winograd   bool     // of 16 matrices, see PackWinograd
}

// Bytes returns the memory that a product reads: that of the panels, or of their part in use.
func (w *Weight) Bytes() (n int64) {
	for _, p := range w.parts {
		n += int64(gemm.Panels(p.rows) * formats[p.format].panel(p.cols))
	}
	return n
}

// Pack packs tensors of the same number of columns, one below the other, in memory of the
// arena; the pool shares the work. Each tensor is [rows, cols], or has more axes that are
// flattened into the columns. [FormatAuto] keeps the precision of each. [Packed] tensors stay in
// their format, and where they are, unless a format of floats is asked for. It panics if the
// shapes disagree.
func Pack(arena *Arena, pool *Pool, format Format, parts ...Tensor) *Weight {
	w := &Weight{Cols: columns(parts[0])}
	var fresh []Tensor // to be packed together
	var as Format
	flush := func() {
		if len(fresh) > 0 {
			w.parts = append(w.parts, pack(arena, pool, as, w.Cols, fresh))
			fresh = fresh[:0]
		}
	}
	for _, t := range parts {
		if columns(t) != w.Cols {
			panic(fmt.Sprintf("tensor.Pack: %v below %d columns", t, w.Cols))
		}
		w.Rows += t.Shape[0]
		for _, run := range t.runs() {
			f := format.For(t.Type)
			if t.Type == Packed {
				p := run.in.panels[0]
				if f == FormatAuto || formats[f].eight {
					f = p.format
				}
				if f == p.format && p.usable() {
					flush()
					w.parts = append(w.parts, p)
					arena.size += int64(len(p.data))
					continue
				}
			}
			if f != as {
				flush()
			}
			as, fresh = f, append(fresh, run)
		}
	}
	flush()
	if len(w.parts) > 0 {
		w.Format = w.parts[0].format
	}
	return w
}

// runs returns the rows of a matrix in tensors of one format each.
func (t Tensor) runs() []Tensor {
	if len(t.rows().panels) < 2 {
		return []Tensor{t}
	}
	var runs []Tensor
	for _, p := range t.rows().panels {
		runs = append(runs, Tensor{Name: t.Name, Type: Packed, Shape: []int{p.rows, p.cols}, Data: p.data, in: &inside{panels: []panels{p}}})
	}
	return runs
}

func columns(t Tensor) int {
	if len(t.Shape) < 2 || t.Shape[0] == 0 {
		panic(fmt.Sprintf("tensor.Pack: %v is not a matrix", t))
	}
	return t.Elements() / t.Shape[0]
}

// Row decodes row r to float32: what a product sees of it.
func (w *Weight) Row(dst []float32, r int) {
	for _, p := range w.parts {
		if r >= p.rows {
			r -= p.rows
			continue
		}
		if formats[p.format].eight {
			p.row(dst, r)
			return
		}
		panel, r := p.panel(r)
		nativeRow(p.format, dst[:w.Cols], panel, r)
		return
	}
}

// RoundQ8 rounds a row to what it would be in [FormatQ8].
func RoundQ8(row []float32) { quant.Q8Round(row) }
