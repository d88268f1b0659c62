package tensor

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
)

// Weight is a matrix packed in panels of 16 rows for multiplication. It is immutable.
type Weight struct {
	Format     Format
	Rows, Cols int
	panels     []byte // Panels(Rows) panels
	room       int    // columns that a panel has room for, Cols if 0
}

// Bytes returns the memory that a product reads: that of the panels, or of their part in use.
func (w *Weight) Bytes() int64 { return int64(gemm.Panels(w.Rows) * formats[w.Format].panel(w.Cols)) }

// Pack packs tensors of the same number of columns, one below the other, in memory of the
// arena; the pool shares the work. Each tensor is [rows, cols], or has more axes that are
// flattened into the columns. [FormatAuto] keeps the precision of the first. It panics if the
// shapes disagree.
func Pack(arena *Arena, pool *Pool, format Format, parts ...Tensor) *Weight {
	w := &Weight{Format: format.For(parts[0].Type), Cols: columns(parts[0])}
	for _, p := range parts {
		if columns(p) != w.Cols {
			panic(fmt.Sprintf("tensor.Pack: %v below %d columns", p, w.Cols))
		}
		w.Rows += p.Shape[0]
	}
	w.panels = arena.Bytes(gemm.Panels(w.Rows) * formats[w.Format].panel(w.Cols))
	pool.Run((gemm.Panels(w.Rows)+panelsPerPart-1)/panelsPerPart, &packing{w, parts})
	return w
}

func columns(t Tensor) int {
	if len(t.Shape) < 2 || t.Shape[0] == 0 {
		panic(fmt.Sprintf("tensor.Pack: %v is not a matrix", t))
	}
	return t.Elements() / t.Shape[0]
}

// panelsPerPart is how many panels a thread packs at a time.
const panelsPerPart = 8

// packing is the task of packing one weight.
type packing struct {
	w     *Weight
	parts []Tensor
}

// Do packs some panels. Rows whose type is the panel's own are interleaved as they are; others
// are decoded to float32 first.
func (p *packing) Do(part int) {
	from, to := part*panelsPerPart, min((part+1)*panelsPerPart, gemm.Panels(p.w.Rows))
	size := formats[p.w.Format].panel(p.w.Cols)
	raw := p.raw()
	var floats []float32
	if !raw {
		floats = make([]float32, gemm.Rows*p.w.Cols)
	}
	for panel := from; panel < to; panel++ {
		dst := p.w.panels[panel*size : (panel+1)*size]
		n := min(gemm.Rows, p.w.Rows-panel*gemm.Rows)
		var rows [gemm.Rows][]byte
		for r := range n {
			t, row := p.row(panel*gemm.Rows + r)
			if raw {
				width := p.w.Cols * t.Type.Size()
				rows[r] = t.Data[row*width : (row+1)*width]
			} else {
				t.Floats(floats[r*p.w.Cols:(r+1)*p.w.Cols], row*p.w.Cols)
			}
		}
		switch {
		case raw && p.w.Format == FormatF32:
			interleave32(view[uint32](dst), rows[:n])
		case raw:
			interleave16(view[uint16](dst), rows[:n])
		default:
			packFloats(p.w.Format, dst, floats, n, p.w.Cols)
		}
	}
}

// raw reports whether all parts are stored in the panels' own type.
func (p *packing) raw() bool {
	for _, t := range p.parts {
		switch {
		case p.w.Format == FormatF32 && t.Type == F32, p.w.Format == FormatBF16 && t.Type == BF16, p.w.Format == FormatF16 && t.Type == F16:
		default:
			return false
		}
	}
	return true
}

// row returns the tensor that holds row r of the stack, and the row's number there.
func (p *packing) row(r int) (Tensor, int) {
	i := 0
	for r >= p.parts[i].Shape[0] {
		r -= p.parts[i].Shape[0]
		i++
	}
	return p.parts[i], r
}

// interleave16 writes rows of little-endian 16-bit elements as columns, four at a time.
func interleave16(dst []uint16, rows [][]byte) {
	for r, row := range rows {
		i := 0
		for ; i+8 <= len(row); i += 8 {
			v := binary.LittleEndian.Uint64(row[i:])
			d := dst[i/2*gemm.Rows+r:]
			_ = d[3*gemm.Rows]
			d[0], d[gemm.Rows], d[2*gemm.Rows], d[3*gemm.Rows] = uint16(v), uint16(v>>16), uint16(v>>32), uint16(v>>48)
		}
		for ; i < len(row); i += 2 {
			dst[i/2*gemm.Rows+r] = binary.LittleEndian.Uint16(row[i:])
		}
	}
}

// interleave32 does the same for 32-bit elements.
func interleave32(dst []uint32, rows [][]byte) {
	for r, row := range rows {
		for i := 0; i < len(row); i += 4 {
			dst[i/4*gemm.Rows+r] = binary.LittleEndian.Uint32(row[i:])
		}
	}
}

// packFloats stores n rows of k elements as one panel, which is zero where rows are missing.
func packFloats(f Format, panel []byte, rows []float32, n, k int) {
	if f == FormatQ8 {
		quant.Q8Panel(panel, rows[:n*k], n, k)
		return
	}
	for r := range n {
		for i, v := range rows[r*k : (r+1)*k] {
			switch at := i*gemm.Rows + r; f {
			case FormatF32:
				view[float32](panel)[at] = v
			case FormatBF16:
				view[uint16](panel)[at] = BFloat16(v)
			case FormatF16:
				view[uint16](panel)[at] = float16.Fromfloat32(v).Bits()
			}
		}
	}
}

// BFloat16 returns the upper half of a number, rounded to nearest, ties to even; NaN stays NaN.
func BFloat16(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// Row decodes row r to float32: what a product sees of it.
func (w *Weight) Row(dst []float32, r int) {
	size := w.panelSize()
	panel := w.panels[r/gemm.Rows*size : (r/gemm.Rows+1)*size]
	r %= gemm.Rows
	for i := range dst[:w.Cols] {
		switch at := i*gemm.Rows + r; w.Format {
		case FormatF32:
			dst[i] = view[float32](panel)[at]
		case FormatBF16:
			dst[i] = math.Float32frombits(uint32(view[uint16](panel)[at]) << 16)
		case FormatF16:
			dst[i] = float16.Frombits(view[uint16](panel)[at]).Float32()
		case FormatQ8:
			dst[i] = quant.Q8At(panel, w.Cols, r, i)
		}
	}
}

// elements returns panels from to to-1 as the elements they hold.
func elements[E float32 | uint16](w *Weight, from, to int) []E {
	k := w.panelCols()
	return view[E](w.panels)[from*k*gemm.Rows : to*k*gemm.Rows]
}
