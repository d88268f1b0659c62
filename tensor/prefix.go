package tensor

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
)

// panelCols is the columns from one panel to the next.
func (w *Weight) panelCols() int {
	if w.room == 0 {
		return w.Cols
	}
	return w.room
}

// panelSize is the bytes from one panel to the next.
func (w *Weight) panelSize() int { return formats[w.Format].panel(w.panelCols()) }

// Prefix returns the first rows and columns of a matrix, [rows, cols], in the same memory. A product
// with it has the bits of one with such a matrix packed by itself. In [FormatQ8] columns can only be
// cut by [Weight.Trim]. It panics if the matrix is smaller, or empty.
func (w *Weight) Prefix(rows, cols int) *Weight {
	if rows < 1 || cols < 1 || rows > w.Rows || cols > w.Cols || cols < w.Cols && w.Format == FormatQ8 {
		panic(fmt.Sprintf("tensor.Prefix: [%d %d] of %v [%d %d]", rows, cols, w.Format, w.Rows, w.Cols))
	}
	if rows == w.Rows && cols == w.Cols {
		return w
	}
	p := &Weight{Format: w.Format, Rows: rows, Cols: cols, room: w.panelCols(), panels: w.panels[:gemm.Panels(rows)*w.panelSize()]}
	return p
}

// Trim returns a copy of the first cols columns of a matrix in [FormatQ8], in memory of the arena.
// Tail is the columns of the last block if that is not whole, [Rows, cols mod 32], which are rounded
// anew without those that go: products have the bits of the columns packed by themselves. It
// panics if the sizes disagree.
func (w *Weight) Trim(arena *Arena, pool *Pool, cols int, tail Tensor) *Weight {
	over := cols % quant.Block
	if w.Format != FormatQ8 || cols < 1 || cols > w.Cols || over > 0 && (len(tail.Shape) != 2 || tail.Shape[0] != w.Rows || tail.Shape[1] != over) {
		panic(fmt.Sprintf("tensor.Trim: %d columns of %v [%d %d], tail %v", cols, w.Format, w.Rows, w.Cols, tail.Shape))
	}
	t := &Weight{Format: FormatQ8, Rows: w.Rows, Cols: cols}
	t.panels = arena.Bytes(gemm.Panels(w.Rows) * quant.Q8Size(cols))
	pool.Run((gemm.Panels(w.Rows)+panelsPerPart-1)/panelsPerPart, &trimming{t, w, tail, over})
	return t
}

// trimming is the task of Trim.
type trimming struct {
	dst, src *Weight
	tail     Tensor
	over     int // columns of the last block, 0 if it is whole
}

// Do copies some panels: quantised elements first, then the scales, both block by block.
func (t *trimming) Do(part int) {
	const elements, scales = quant.Block * quant.Rows, 2 * quant.Rows
	n, whole := quant.Blocks(t.dst.Cols), t.dst.Cols/quant.Block
	from, to := part*panelsPerPart, min((part+1)*panelsPerPart, gemm.Panels(t.dst.Rows))
	rows, last := make([]float32, gemm.Rows*t.over), make([]byte, quant.Q8Size(t.over))
	for panel := from; panel < to; panel++ {
		dst, src := t.dst.panels[panel*t.dst.panelSize():][:t.dst.panelSize()], t.src.panels[panel*t.src.panelSize():]
		copy(dst, src[:whole*elements])
		copy(dst[n*elements:], src[quant.Blocks(t.src.Cols)*elements:][:whole*scales])
		if t.over == 0 {
			continue
		}
		held := min(gemm.Rows, t.dst.Rows-panel*gemm.Rows)
		t.tail.Floats(rows[:held*t.over], panel*gemm.Rows*t.over)
		quant.Q8Panel(last, rows, held, t.over)
		copy(dst[whole*elements:n*elements], last)
		copy(dst[n*elements+whole*scales:], last[elements:])
	}
}
