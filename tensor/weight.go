package tensor

import (
	"fmt"
	"math"
	"unsafe"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
)

// Weight is a matrix packed in panels of 16 rows for multiplication. It is immutable.
type Weight struct {
	Format     Format
	Rows, Cols int
	panels     []byte // Panels(Rows) panels
}

// Bytes returns the memory the panels take.
func (w *Weight) Bytes() int64 { return int64(len(w.panels)) }

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

// Do packs some panels: their rows, decoded to float32, are interleaved or quantised.
func (p *packing) Do(part int) {
	rows := make([]float32, gemm.Rows*p.w.Cols)
	for panel := part * panelsPerPart; panel < min((part+1)*panelsPerPart, gemm.Panels(p.w.Rows)); panel++ {
		n := min(gemm.Rows, p.w.Rows-panel*gemm.Rows)
		for r := range n {
			p.decode(rows[r*p.w.Cols:(r+1)*p.w.Cols], panel*gemm.Rows+r)
		}
		size := formats[p.w.Format].panel(p.w.Cols)
		packPanel(p.w.Format, p.w.panels[panel*size:(panel+1)*size], rows, n, p.w.Cols)
	}
}

// decode converts row r of the stacked tensors.
func (p *packing) decode(dst []float32, r int) {
	for _, t := range p.parts {
		if r < t.Shape[0] {
			t.Floats(dst, r*len(dst))
			return
		}
		r -= t.Shape[0]
	}
}

// packPanel stores n rows of k elements as one panel; missing rows are zero.
func packPanel(f Format, panel []byte, rows []float32, n, k int) {
	if f == FormatQ8 {
		quant.Q8Panel(panel, rows[:n*k], n, k)
		return
	}
	clear(rows[n*k : gemm.Rows*k])
	for r := range gemm.Rows {
		row := rows[r*k : (r+1)*k]
		switch f {
		case FormatF32:
			for i, v := range row {
				*(*float32)(unsafe.Pointer(&panel[(i*gemm.Rows+r)*4])) = v
			}
		case FormatBF16:
			for i, v := range row {
				*(*uint16)(unsafe.Pointer(&panel[(i*gemm.Rows+r)*2])) = bfloat16(v)
			}
		case FormatF16:
			for i, v := range row {
				*(*uint16)(unsafe.Pointer(&panel[(i*gemm.Rows+r)*2])) = float16.Fromfloat32(v).Bits()
			}
		}
	}
}

// bfloat16 rounds to nearest, ties to even; NaN stays NaN.
func bfloat16(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// Row decodes row r to float32: what a product sees of it.
func (w *Weight) Row(dst []float32, r int) {
	size := formats[w.Format].panel(w.Cols)
	panel := w.panels[r/gemm.Rows*size : (r/gemm.Rows+1)*size]
	r %= gemm.Rows
	for i := range dst[:w.Cols] {
		switch at := i*gemm.Rows + r; w.Format {
		case FormatF32:
			dst[i] = *(*float32)(unsafe.Pointer(&panel[at*4]))
		case FormatBF16:
			dst[i] = math.Float32frombits(uint32(*(*uint16)(unsafe.Pointer(&panel[at*2]))) << 16)
		case FormatF16:
			dst[i] = float16.Frombits(*(*uint16)(unsafe.Pointer(&panel[at*2]))).Float32()
		case FormatQ8:
			dst[i] = quant.Q8At(panel, w.Cols, r, i)
		}
	}
}

// floats and halves view panels as the elements they hold, in the machine's own byte order.
func (w *Weight) floats(from, to int) []float32 {
	b := w.panels[from*w.Cols*gemm.Rows*4 : to*w.Cols*gemm.Rows*4]
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

func (w *Weight) halves(from, to int) []uint16 {
	b := w.panels[from*w.Cols*gemm.Rows*2 : to*w.Cols*gemm.Rows*2]
	return unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/2)
}
