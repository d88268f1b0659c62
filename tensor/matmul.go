package tensor

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
)

// Product is one matrix product of a group: Dst [T, out] = X [T, in] · Wᵀ, W [out, in].
type Product struct {
	Dst, X Mat
	W      *Weight
}

// MatMul computes dst [T, out] = x [T, in] · wᵀ, w [out, in], on the workspace's pool. dst must
// not overlap x. It panics if the sizes disagree.
func MatMul(ws *Workspace, dst, x Mat, w *Weight) {
	m := Local[matmul](ws)
	m.products = append(m.products[:0], Product{dst, x, w})
	m.run(ws)
}

// MatMulAll computes several products in one parallel region. Products that read the same
// matrix should follow each other: it is then quantised once.
func MatMulAll(ws *Workspace, products []Product) {
	m := Local[matmul](ws)
	m.products = append(m.products[:0], products...)
	m.run(ws)
}

// matmul is the task behind both: parts are groups of panels of any of the products.
type matmul struct {
	products []Product
	rows     []quant.Rows8 // the products' quantised activations
	starts   []int         // the first part of each product, and the number of parts
	grain    []int         // panels in a part of each product
}

const (
	// serial is the number of multiply-adds below which sharing costs more than it saves.
	serial = 1 << 16
	// partsPerThread lets fast threads take more.
	partsPerThread = 4
	// tilePanels is the most panels that one tile takes: parts are multiples of it.
	tilePanels = 4
)

func (m *matmul) run(ws *Workspace) {
	mark := ws.Mark()
	work := m.plan(ws)
	if parts := m.starts[len(m.products)]; work < serial {
		for i := range parts {
			m.Do(i)
		}
	} else {
		ws.Pool.Run(parts, m)
	}
	ws.Release(mark)
	clear(m.products)
	clear(m.rows)
}

// plan checks the products, quantises what needs it and cuts the work into parts. It returns the
// number of multiply-adds.
func (m *matmul) plan(ws *Workspace) (work int) {
	m.rows, m.starts, m.grain = m.rows[:0], m.starts[:0], m.grain[:0]
	parts := 0
	for i, p := range m.products {
		if p.X.Cols != p.W.Cols || p.Dst.Cols != p.W.Rows || p.Dst.Rows != p.X.Rows {
			panic(fmt.Sprintf("tensor.MatMul: dst [%d %d], x [%d %d], w [%d %d]", p.Dst.Rows, p.Dst.Cols, p.X.Rows, p.X.Cols, p.W.Rows, p.W.Cols))
		}
		var rows quant.Rows8
		if p.W.Format == FormatQ8 {
			if i > 0 && m.products[i-1].W.Format == FormatQ8 && same(m.products[i-1].X, p.X) {
				rows = m.rows[i-1]
			} else {
				rows = ws.rows8(p.X)
			}
		}
		panels := gemm.Panels(p.W.Rows)
		grain := max(1, panels/(ws.Pool.Threads()*partsPerThread)/tilePanels) * tilePanels
		m.rows, m.starts, m.grain = append(m.rows, rows), append(m.starts, parts), append(m.grain, grain)
		parts += (panels + grain - 1) / grain
		work += p.X.Rows * p.W.Rows * p.W.Cols
	}
	m.starts = append(m.starts, parts)
	return work
}

func same(a, b Mat) bool {
	return a.Rows == b.Rows && a.Cols == b.Cols && a.Stride == b.Stride && len(a.Data) > 0 && len(b.Data) > 0 && &a.Data[0] == &b.Data[0]
}

// rows8 quantises a matrix.
func (w *Workspace) rows8(x Mat) quant.Rows8 {
	e, s := quant.Rows8Size(x.Rows, x.Cols)
	rows := quant.Rows8{
		Tokens: x.Rows, K: x.Cols,
		Q: scratch[int8](w, e), Wide: scratch[int16](w, e),
		Scale: w.Floats(s), Sum: scratch[int32](w, s),
	}
	rows.Quantize(x.Data, x.Stride)
	return rows
}

// Do multiplies by one part's panels.
func (m *matmul) Do(part int) {
	i := 0
	for part >= m.starts[i+1] {
		i++
	}
	p := m.products[i]
	from := (part - m.starts[i]) * m.grain[i]
	to := min(from+m.grain[i], gemm.Panels(p.W.Rows))
	d := gemm.Dims{
		Tokens: p.X.Rows, Rows: min(to*gemm.Rows, p.W.Rows) - from*gemm.Rows, K: p.W.Cols,
		DstStride: p.Dst.Stride, XStride: p.X.Stride, PanelK: p.W.room,
	}
	if d.Tokens == 0 {
		return
	}
	dst := p.Dst.Data[from*gemm.Rows:]
	switch p.W.Format {
	case FormatF32:
		gemm.F32(dst, p.X.Data, elements[float32](p.W, from, to), d, false)
	case FormatBF16:
		gemm.BF16(dst, p.X.Data, elements[uint16](p.W, from, to), d, false)
	case FormatF16:
		gemm.F16(dst, p.X.Data, elements[uint16](p.W, from, to), d, false)
	case FormatQ8:
		size := quant.Q8Size(p.W.Cols)
		gemm.Q8(dst, m.rows[i], p.W.panels[from*size:to*size], d)
	}
}
