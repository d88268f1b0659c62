package dense

import (
	"math"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// view is a matrix with any strides: element [i, j] is data[i·rs + j·cs].
type view struct {
	data       []float32
	rows, cols int
	rs, cs     int
}

// normal gives an axis of one element, whose stride means nothing, the stride of a row-major matrix.
func (v view) normal() view {
	if v.cols == 1 {
		v.cs = 1
	}
	if v.rows == 1 {
		v.rs = max(v.cols, 1)
	}
	return v
}

// t returns the transpose.
func (v view) t() view { return view{v.data, v.cols, v.rows, v.cs, v.rs}.normal() }

// rowMajor reports whether the elements of a row follow each other and rows do not overlap.
func (v view) rowMajor() bool { return v.cs == 1 && v.rs >= v.cols }

// product is the task of one product dst [m, n] = a [m, k] · b [k, n]: the columns of b are
// packed in panels and are the weights, the rows of a are the tokens of [gemm.F32].
type product struct {
	dst, a, b view
	panels    []float32 // [gemm.Panels(n)][k][gemm.Rows]
	rows      []float32 // [m][k], the rows of a if they must be packed too; [n], sums of a run
	grain     int       // panels of a group
	groups    int       // groups of panels
	tokens    int       // rows of a block; a part is a group by a block
}

const (
	// serial is the number of multiply-adds below which sharing costs more than it saves.
	serial = 1 << 16
	// partsPerThread lets fast threads take more.
	partsPerThread = 4
	// tilePanels is the most panels that one tile takes: parts are multiples of it.
	tilePanels = 4
	// minTokens is the fewest rows worth a part of their own.
	minTokens = 64
	// maxSums is the most sums of a part of [summing]: they stay in the first-level cache.
	maxSums = 2048
)

// multiply computes dst [m, n] = a [m, k] · b [k, n]. apart says that dst overlaps neither
// operand; otherwise the product is computed beside it and copied.
func multiply(ws *tensor.Workspace, dst, a, b view, apart bool) {
	mark := ws.Mark()
	out := dst
	direct := apart && (dst.rowMajor() || dst.t().rowMajor())
	if !direct {
		out = view{ws.Floats(dst.rows * dst.cols), dst.rows, dst.cols, dst.cols, 1}
	}
	p := tensor.Local[product](ws)
	*p = product{dst: out, a: a, b: b}
	// dstᵀ = bᵀ · aᵀ gives the same bits: the one that stores in order and packs less.
	if turned := (product{dst: out.t(), a: b.t(), b: a.t()}); turned.cost() < p.cost() {
		*p = turned
	}
	p.run(ws)
	if !direct {
		for i := range dst.rows {
			for j := range dst.cols {
				dst.data[i*dst.rs+j*dst.cs] = out.data[i*out.rs+j]
			}
		}
	}
	*p = product{}
	ws.Release(mark)
}

// cost is the number of elements to pack.
func (p *product) cost() int {
	switch {
	case !p.dst.rowMajor():
		return math.MaxInt
	case p.sums():
		return 0
	}
	cost := p.b.rows * gemm.Panels(p.b.cols) * gemm.Rows
	if !p.a.rowMajor() {
		cost += p.a.rows * p.a.cols
	}
	return cost
}

// sums reports whether the product is a sum of the rows of b, which then need no panels.
func (p *product) sums() bool { return p.a.rows == 1 && p.b.cs == 1 && p.b.cols >= gemm.Rows }

// run packs, then multiplies.
func (p *product) run(ws *tensor.Workspace) {
	m, k, n := p.a.rows, p.a.cols, p.b.cols
	pool := ws.Pool
	if m*k*n < serial {
		pool = nil
	}
	if p.sums() {
		p.grain = min(max(1, gemm.Panels(n)/pool.Threads()), maxSums/gemm.Rows)
		p.rows = ws.Floats(n)
		pool.Run((gemm.Panels(n)+p.grain-1)/p.grain, (*summing)(p))
		return
	}
	parts := pool.Threads() * partsPerThread
	p.grain = max(1, gemm.Panels(n)/parts/tilePanels) * tilePanels
	p.groups = (gemm.Panels(n) + p.grain - 1) / p.grain
	p.tokens = m
	if blocks := min(parts/p.groups, m/minTokens); blocks > 1 {
		p.tokens = (m + blocks - 1) / blocks
	}
	blocks := (m + p.tokens - 1) / p.tokens

	p.panels = ws.Floats(gemm.Panels(n) * k * gemm.Rows)
	if p.a.rowMajor() {
		pool.Run(p.groups, (*packing)(p))
	} else {
		p.rows = ws.Floats(m * k)
		pool.Run(p.groups+blocks, (*packing)(p))
		p.a = view{p.rows, m, k, k, 1}
	}
	pool.Run(p.groups*blocks, p)
}

// Do multiplies some rows of a by some panels.
func (p *product) Do(part int) {
	token, panel := part/p.groups*p.tokens, part%p.groups*p.grain
	d := gemm.Dims{
		Tokens: min(p.tokens, p.a.rows-token), Rows: min(p.grain*gemm.Rows, p.b.cols-panel*gemm.Rows), K: p.a.cols,
		DstStride: p.dst.rs, XStride: p.a.rs,
	}
	gemm.F32(p.dst.data[token*p.dst.rs+panel*gemm.Rows:], p.a.data[token*p.a.rs:], p.panels[panel*d.K*gemm.Rows:], d, false)
}

// packing is the task that comes first: parts are groups of panels, then blocks of rows.
type packing product

// Do packs one part.
func (p *packing) Do(part int) {
	if part < p.groups {
		for panel := part * p.grain; panel < min((part+1)*p.grain, gemm.Panels(p.b.cols)); panel += tilePanels {
			p.pack(panel)
		}
		return
	}
	from := (part - p.groups) * p.tokens
	p.block(from, min(from+p.tokens, p.a.rows))
}

// pack packs the columns of b from a panel's first on, some panels at a time: in a row-major
// matrix their elements lie side by side. Missing columns are zero.
func (p *packing) pack(panel int) {
	b, k := p.b, p.b.rows
	first := panel * gemm.Rows
	last := min(first+tilePanels*gemm.Rows, b.cols)
	if b.cs == 1 {
		whole := last - last%gemm.Rows
		for r := range k {
			row := b.data[r*b.rs : r*b.rs+last]
			for c := first; c < whole; c += gemm.Rows {
				*(*[gemm.Rows]float32)(p.panels[c*k+r*gemm.Rows:]) = [gemm.Rows]float32(row[c:])
			}
		}
		first = whole
	}
	if last%gemm.Rows != 0 {
		clear(p.panels[last/gemm.Rows*gemm.Rows*k:][:k*gemm.Rows])
	}
	for c := first; c < last; c++ {
		out := p.panels[c/gemm.Rows*gemm.Rows*k+c%gemm.Rows:]
		for r := range k {
			out[r*gemm.Rows] = b.data[r*b.rs+c*b.cs]
		}
	}
}

// block packs rows from to to-1 of a, 16 at a time: in a transposed matrix they lie side by side.
func (p *packing) block(from, to int) {
	a, k := p.a, p.a.cols
	for ; from < to; from += gemm.Rows {
		for c := range k {
			for r := from; r < min(from+gemm.Rows, to); r++ {
				p.rows[r*k+c] = a.data[r*a.rs+c*a.cs]
			}
		}
	}
}

// summing is the task of a product of one row, dst = Σ_r a[r]·b[r]: parts are groups of columns.
// Every sum takes the steps that [gemm.F32] takes.
type summing product

// Do computes the sums of some columns.
func (p *summing) Do(part int) {
	from := part * p.grain * gemm.Rows
	to := min(from+p.grain*gemm.Rows, p.b.cols)
	dst, run := p.dst.data[from:to], p.rows[from:to]
	clear(dst)
	for first := 0; first < p.b.rows; first += gemm.Run {
		sum := dst
		if first > 0 {
			sum = run
			clear(run)
		}
		for r := first; r < min(first+gemm.Run, p.b.rows); r++ {
			vec.Axpy(sum, p.a.data[r*p.a.cs], p.b.data[r*p.b.rs+from:r*p.b.rs+to])
		}
		if first > 0 {
			vec.Add(dst, run, dst)
		}
	}
}
