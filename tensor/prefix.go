package tensor

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
)

// Prefix returns the first rows and columns of a matrix, [rows, cols], in the same memory. A product
// with it has the bits of one with such a matrix packed by itself. In quantised formats columns can only be
// cut by [Weight.Trim], in FormatBF16Dot only between pairs. It panics if the matrix is smaller, empty, or of several
// formats, or if the columns cannot be cut.
func (w *Weight) Prefix(rows, cols int) *Weight {
	if rows < 1 || cols < 1 || rows > w.Rows || cols > w.Cols || cols < w.Cols && (w.Format.Quantised() || w.Format == FormatBF16Dot && cols%2 > 0) || len(w.parts) != 1 {
		panic(fmt.Sprintf("tensor.Prefix: [%d %d] of %v [%d %d]", rows, cols, w.Format, w.Rows, w.Cols))
	}
	if rows == w.Rows && cols == w.Cols {
		return w
	}
	p := w.parts[0]
	if p.room == 0 {
		p.room = p.cols
	}
	p.rows, p.cols, p.data = rows, cols, p.data[:gemm.Panels(rows)*p.size()]
	return &Weight{Format: w.Format, Rows: rows, Cols: cols, parts: []panels{p}}
}

// Trim returns a copy of the first cols columns of a matrix in a quantised format, in memory of the arena.
// Tail is the columns of the last block if that is not whole, [Rows, cols mod 32], packed in the same format:
// they are rounded without those that go, and products have the bits of the columns packed by themselves. It
// panics if the sizes or formats disagree.
func (w *Weight) Trim(arena *Arena, pool *Pool, cols int, tail *Weight) *Weight {
	over := cols % quant.Block
	if !w.Format.Quantised() || len(w.parts) != 1 || cols < 1 || cols > w.Cols || (over > 0) != (tail != nil) {
		panic(fmt.Sprintf("tensor.Trim: %d columns of %v [%d %d]", cols, w.Format, w.Rows, w.Cols))
	}
	t := trimming{dst: panels{format: w.Format, rows: w.Rows, cols: cols}, src: w.parts[0]}
	if tail != nil {
		if len(tail.parts) != 1 || tail.Format != w.Format || tail.Rows != w.Rows || tail.Cols != over {
			panic(fmt.Sprintf("tensor.Trim: %d columns of %v [%d %d], tail %v [%d %d]", cols, w.Format, w.Rows, w.Cols, tail.Format, tail.Rows, tail.Cols))
		}
		t.tail = tail.parts[0]
	}
	t.dst.data = arena.Bytes(gemm.Panels(w.Rows) * t.dst.size())
	pool.Run((gemm.Panels(w.Rows)+panelsPerPart-1)/panelsPerPart, &t)
	return &Weight{Format: w.Format, Rows: w.Rows, Cols: cols, parts: []panels{t.dst}}
}

// trimming is the task of Trim.
type trimming struct{ dst, src, tail panels }

// Do copies some panels: quantised elements first, then the scales, both block by block.
func (t *trimming) Do(part int) {
	elements, scales := t.dst.format.blockSizes()
	n, whole := quant.Blocks(t.dst.cols), t.dst.cols/quant.Block
	from, to := part*panelsPerPart, min((part+1)*panelsPerPart, gemm.Panels(t.dst.rows))
	for panel := from; panel < to; panel++ {
		dst, src := t.dst.data[panel*t.dst.size():][:t.dst.size()], t.src.data[panel*t.src.size():]
		copy(dst, src[:whole*elements])
		copy(dst[n*elements:], src[quant.Blocks(t.src.cols)*elements:][:whole*scales])
		if n > whole {
			last := t.tail.data[panel*t.tail.size():][:t.tail.size()]
			copy(dst[whole*elements:n*elements], last)
			copy(dst[n*elements+whole*scales:], last[elements:])
		}
	}
}
