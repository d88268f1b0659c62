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

// matmul is the task behind both: parts are groups of panels of any of the shares.
type matmul struct {
	products []Product
	shares   []share
	parts    int
}

// share is the product with the rows of a weight that have one format.
type share struct {
	w      *panels
	dst    Mat
	x      Mat
	rows   quant.Rows8 // x in 8 bits, for quantised formats
	pairs  pairs       // x in bfloat16, for FormatBF16Dot
	start  int         // its first part
	grain  int         // panels in a part
	panels int
}

const (
	// serial is the number of multiply-adds below which sharing costs more than it saves.
	serial = 1 << 16
	// partsPerThread lets fast threads take more.
	partsPerThread = 4
	// partsOfOneToken does too, but few parts read memory in long streams.
	partsOfOneToken = 2
	// tilePanels is the most panels that one tile takes: parts are multiples of it.
	tilePanels = 4
)

func (m *matmul) run(ws *Workspace) {
	mark := ws.Mark()
	if work := m.plan(ws); work < serial {
		for i := range m.parts {
			m.Do(i)
		}
	} else {
		ws.Pool.Run(m.parts, m)
	}
	ws.Release(mark)
	clear(m.products)
	clear(m.shares)
}

// plan checks the products, quantises what needs it and cuts the work into parts. It returns the
// number of multiply-adds.
func (m *matmul) plan(ws *Workspace) (work int) {
	m.shares, m.parts = m.shares[:0], 0
	var rows quant.Rows8 // of the last product that needed them
	var of Mat
	var halves pairs // likewise
	var halved Mat
	for _, p := range m.products {
		if p.W.winograd || p.X.Cols != p.W.Cols || p.Dst.Cols != p.W.Rows || p.Dst.Rows != p.X.Rows {
			panic(fmt.Sprintf("tensor.MatMul: dst [%d %d], x [%d %d], w [%d %d]", p.Dst.Rows, p.Dst.Cols, p.X.Rows, p.X.Cols, p.W.Rows, p.W.Cols))
		}
		if p.X.Rows == 0 {
			continue
		}
		if ws.Watch != nil {
			ws.Watch(p.W, p.X)
		}
		from := 0
		for i := range p.W.parts {
			w := &p.W.parts[i]
			s := share{w: w, dst: p.Dst.Columns(from, from+w.rows), x: p.X, start: m.parts, panels: gemm.Panels(w.rows)}
			switch {
			case formats[w.format].eight:
				if !same(of, p.X) {
					rows, of = ws.rows8(p.X), p.X
				}
				s.rows = rows
			case w.format == FormatBF16Dot:
				if !same(halved, p.X) {
					halves, halved = ws.pairs(p.X), p.X
				}
				s.pairs = halves
			}
			per := partsPerThread
			if p.X.Rows == 1 {
				per = partsOfOneToken
			}
			s.grain = max(1, s.panels/(ws.Pool.Threads()*per)/tilePanels) * tilePanels
			m.parts += (s.panels + s.grain - 1) / s.grain
			m.shares = append(m.shares, s)
			from += w.rows
		}
		work += p.X.Rows * p.W.Rows * p.W.Cols
	}
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
	i := len(m.shares) - 1
	for m.shares[i].start > part {
		i--
	}
	s := &m.shares[i]
	from := (part - s.start) * s.grain
	to := min(from+s.grain, s.panels)
	d := gemm.Dims{
		Tokens: s.x.Rows, Rows: min(to*gemm.Rows, s.w.rows) - from*gemm.Rows, K: s.w.cols,
		DstStride: s.dst.Stride, XStride: s.x.Stride, PanelK: s.w.room,
	}
	dst := s.dst.Data[from*gemm.Rows:]
	switch {
	case formats[s.w.format].eight:
		s.w.multiply8(dst, s.rows, from, to, d)
	case s.w.format == FormatBF16Dot:
		s.w.multiplyPairs(dst, s.pairs, from, 0, d, false)
	default:
		s.w.multiply(dst, s.x.Data, from, 0, d, false)
	}
}

// multiply multiplies by panels of floats, from the given panel and column.
func (p *panels) multiply(dst, x []float32, panel, column int, d gemm.Dims, add bool) {
	data := p.data[panel*p.size()+column*(formats[p.format].panel(1)):]
	switch p.format {
	case FormatF32:
		gemm.F32(dst, x, view[float32](data), d, add)
	case FormatBF16:
		gemm.BF16(dst, x, view[uint16](data), d, add)
	case FormatF16:
		gemm.F16(dst, x, view[uint16](data), d, add)
	}
}

// multiply8 multiplies by quantised panels from to to-1.
func (p *panels) multiply8(dst []float32, x quant.Rows8, from, to int, d gemm.Dims) {
	data := p.data[from*p.size() : to*p.size()]
	if p.format == FormatQ8 {
		gemm.Q8(dst, x, data, d)
	} else {
		gemm.Code(formats[p.format].code, dst, x, data, d)
	}
}
