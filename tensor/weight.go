package tensor

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
)

// Weight is a matrix packed in panels of 16 rows for multiplication. It is immutable but for
// [Weight.SetRows], which completes one.
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

// Blank returns matrices of zeros in a format of floats, [rows, cols] each, that [Weight.SetRows] is to
// fill. They lie in one piece of memory of the arena. It panics if the format has no panels of floats.
func Blank(arena *Arena, f Format, shapes [][2]int) []*Weight {
	if f == FormatAuto || f.Quantised() {
		panic(fmt.Sprintf("tensor.Blank: %v", f))
	}
	const aligned = packedAlignment
	size := func(s [2]int) int { return (gemm.Panels(s[0])*formats[f].panel(s[1]) + aligned - 1) &^ (aligned - 1) }
	total := 0
	for _, s := range shapes {
		total += size(s)
	}
	data, all := arena.Bytes(total), make([]*Weight, len(shapes))
	for i, s := range shapes {
		p := panels{format: f, rows: s[0], cols: s[1]}
		p.data, data = data[:gemm.Panels(p.rows)*p.size()], data[size(s):]
		all[i] = &Weight{Format: f, Rows: p.rows, Cols: p.cols, parts: []panels{p}}
	}
	return all
}

// SetRows sets whole panels of 16 rows, of which the last of the matrix may have fewer, of a matrix of
// [Blank]: x [n, Cols] becomes rows first to first+n-1. Different panels may be set at the same time. It
// panics if those rows are no panels.
func (w *Weight) SetRows(first int, x []float32) {
	n := len(x) / w.Cols
	if first < 0 || first%gemm.Rows != 0 || n*w.Cols != len(x) || n > w.Rows-first || n%gemm.Rows != 0 && n < w.Rows-first {
		panic(fmt.Sprintf("tensor.SetRows: %d elements from row %d of [%d %d]", len(x), first, w.Rows, w.Cols))
	}
	var columns [packColumns * gemm.Rows]float32
	for r := 0; r < n; r += gemm.Rows {
		panel, _ := w.parts[0].panel(first + r)
		setPanel(w.Format, panel, x[r*w.Cols:min(r+gemm.Rows, n)*w.Cols], w.Cols, columns[:])
	}
}

// setPanel stores rows of cols elements as a panel, by means of some columns.
func setPanel(f Format, panel []byte, x []float32, cols int, columns []float32) {
	n := len(x) / cols
	var rows [gemm.Rows][]byte
	for from := 0; from < cols; from += packColumns {
		k := min(packColumns, cols-from)
		some := columns[:k*gemm.Rows]
		if n < gemm.Rows {
			clear(some)
		}
		for r := range n {
			rows[r] = bytesOf(x[r*cols+from:][:k])
		}
		interleave32(bitsOf(some), rows[:n], k)
		storeColumns(f, panel, some, n, cols, from, nil)
	}
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
			p.row(dst[:p.cols], r, 0)
			return
		}
		panel, r := p.panel(r)
		nativeRow(p.format, dst[:w.Cols], panel, r)
		return
	}
}

// RoundQ8 rounds a row to what it would be in [FormatQ8].
func RoundQ8(row []float32) { quant.Q8Round(row) }
