package nn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/attn"
	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// Attention is causal softmax attention with grouped keys: query head h reads key head
// h·KVHeads/Heads. A window of w positions shows a query itself and w-1 before it.
//
// Source: Ainslie et al. 2023, arXiv:2305.13245 (grouped queries); the online softmax over blocks
// is Milakov and Gimelshein 2018, arXiv:1805.02867.
type Attention struct {
	Heads, KVHeads, Dim int
	Window              int     // 0 for none
	Scale               float32 // of the scores, 0 for Dim^-½
	Rope                *Rope   // nil for no positions
	QNorm, KNorm        Norm    // before the rotation, of every head or of all of a row
	// QKV projects to queries, keys and values, [(Heads+2·KVHeads)·Dim, D], and, where Gated, to the
	// output's gates, [Heads·Dim] more rows.
	QKV     *Linear
	Adapter *Adapter // of QKV
	Gated   bool     // the output is multiplied by σ(gate)
	Out     *Linear  // [D, Heads·Dim]
}

// StateSpec asks for keys and values.
func (a *Attention) StateSpec() StateSpec {
	return StateSpec{KV: KVSpec{Heads: a.KVHeads, KeyDim: a.Dim, ValueDim: a.Dim, Window: a.Window}}
}

// StepBytes counts the projections.
func (a *Attention) StepBytes() int64 {
	n := a.QKV.W.Bytes() + a.Out.W.Bytes()
	a.Adapter.each(func(l *Linear) { n += l.W.Bytes() })
	return n
}

// StepMulAdds counts the projections.
func (a *Attention) StepMulAdds() int64 {
	n := a.QKV.elements() + a.Out.elements()
	a.Adapter.each(func(l *Linear) { n += l.elements() })
	return n
}

// Mix attends from every row of x to its sequence's past, [T, D].
func (a *Attention) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	h := a.QKV.Out(x, ws)
	a.Adapter.add(h, x, ws)
	q := h.Columns(0, a.Heads*a.Dim)
	k := h.Columns(q.Cols, q.Cols+a.KVHeads*a.Dim)
	v := h.Columns(q.Cols+k.Cols, q.Cols+2*k.Cols)
	place(placing{q: q, k: k, v: v, qNorm: a.QNorm, kNorm: a.KNorm, rope: a.Rope, dim: a.Dim}, spans, ws)
	o := ws.Mat(x.Rows, q.Cols)
	attend(heads{a.Heads, a.KVHeads, a.Dim, a.Dim, a.Window, a.scale()}, o, q, spans, ws)
	for _, s := range spans {
		s.State.KV.slide()
	}
	if a.Gated {
		sigmoidMul(o, h.Columns(q.Cols+2*k.Cols, h.Cols), ws)
	}
	a.Out.Mul(y, o, ws)
	ws.Release(mark)
}

func (a *Attention) scale() float32 {
	if a.Scale != 0 {
		return a.Scale
	}
	return float32(1 / math.Sqrt(float64(a.Dim)))
}

// heads are the sizes of an attention.
type heads struct {
	Heads, KVHeads   int
	KeyDim, ValueDim int
	Window           int
	Scale            float32 // of the scores
}

const (
	// queries is the most query rows that share the reading of a page.
	queries = 32
	// headsTogether is the most query heads of one token that do.
	headsTogether = 8
)

// attend computes o [T, Heads·ValueDim] from the rotated queries, [T, Heads·KeyDim], in parallel
// over spans, key heads and groups of rows.
func attend(a heads, o, q tensor.Mat, spans []Span, ws *tensor.Workspace) {
	task := tensor.Local[attending](ws)
	task.heads, task.o, task.q, task.parts = a, o, q, task.parts[:0]
	for i, s := range spans {
		for from := s.From; from < s.To; from += queries {
			for h := range a.KVHeads {
				task.add(attendPart{span: &spans[i], head: h, from: from, to: min(from+queries, s.To)})
			}
		}
	}
	task.scores = ws.Floats(len(task.parts) * queries * PageLen)
	ws.Pool.Run(len(task.parts), task)
	clear(task.parts)
	*task = attending{parts: task.parts}
}

// attending is the task of attend.
type attending struct {
	heads
	o, q   tensor.Mat
	parts  []attendPart
	scores []float32 // [parts, queries, PageLen]
}

// attendPart is some rows of a span, for query heads that share a key head.
type attendPart struct {
	span         *Span
	head         int // with keys
	first, count int // of the query heads
	from, to     int
}

// add lists a part for all query heads of its key head, or, of a single token, several for some
// of them each.
func (t *attending) add(p attendPart) {
	group := t.Heads / t.KVHeads
	p.count = group
	if p.to-p.from == 1 {
		p.count = min(group, headsTogether)
	}
	for at := 0; at < group; at += p.count {
		p.first, p.count = p.head*group+at, min(p.count, group-at)
		t.parts = append(t.parts, p)
	}
}

// Do attends for one part. The rows of a product are the part's tokens for one query head, or,
// for a single token, its query heads.
func (t *attending) Do(i int) {
	p := t.parts[i]
	r := queryRows{
		heads: t.heads, kv: p.span.State.KV, head: p.head,
		pos:    p.span.Pos + p.from - p.span.From,
		scores: t.scores[i*queries*PageLen : (i+1)*queries*PageLen],
	}
	at := func(h int) ([]float32, []float32) {
		return t.q.Data[p.from*t.q.Stride+h*t.KeyDim:], t.o.Data[p.from*t.o.Stride+h*t.ValueDim:]
	}
	if p.to-p.from == 1 {
		r.n, r.qStride, r.oStride = p.count, t.KeyDim, t.ValueDim
		r.q, r.o = at(p.first)
		r.attend()
		return
	}
	r.n, r.qStride, r.oStride, r.advance = p.to-p.from, t.q.Stride, t.o.Stride, 1
	for h := p.first; h < p.first+p.count; h++ {
		r.q, r.o = at(h)
		r.attend()
	}
}

// queryRows is a group of query rows that read one head of a cache.
type queryRows struct {
	heads
	kv               *KV
	head             int // with keys
	pos, advance     int // row r stands at position pos + r·advance
	n                int
	q, o             []float32 // rows qStride and oStride apart
	qStride, oStride int
	scores           []float32 // [n, PageLen]
}

// attend walks the pages that any of the rows sees. A row meets the same pages in the same
// order, with the same products, whatever rows it is grouped with.
func (r *queryRows) attend() {
	var state [queries]attn.Softmax
	for i := range r.n {
		state[i] = attn.NewSoftmax()
		clear(r.o[i*r.oStride : i*r.oStride+r.ValueDim])
	}
	last := r.pos + (r.n-1)*r.advance
	first := 0
	if r.Window > 0 {
		first = max(0, r.pos-r.Window+1)
	}
	for number := first / PageLen; number <= last/PageLen; number++ {
		r.page(number, &state)
	}
	for i := range r.n {
		row := r.o[i*r.oStride : i*r.oStride+r.ValueDim]
		vec.Scale(row, 1/state[i].Sum, row)
	}
}

// page folds one page into the rows' sums.
func (r *queryRows) page(number int, state *[queries]attn.Softmax) {
	keys, values := r.kv.head(number, r.head)
	last := r.pos + (r.n-1)*r.advance
	held := min(PageLen, last+1-number*PageLen)
	gemm.F32(r.scores, r.q, keys, gemm.Dims{Tokens: r.n, Rows: held, K: r.KeyDim, DstStride: PageLen, XStride: r.qStride}, false)
	whole := true // every row sees the whole page
	for i := range r.n {
		from, to := r.visible(i, number)
		whole = whole && to == PageLen
		if to <= from {
			whole = false
			continue
		}
		scores := r.scores[i*PageLen : i*PageLen+to]
		for j := range from {
			scores[j] = float32(math.Inf(-1))
		}
		corr := state[i].Step(scores, r.Scale)
		row := r.o[i*r.oStride : i*r.oStride+r.ValueDim]
		vec.Scale(row, corr, row)
	}
	d := gemm.Dims{Tokens: r.n, Rows: r.ValueDim, K: PageLen, DstStride: r.oStride, XStride: PageLen, PanelK: PageLen}
	if whole {
		gemm.F32(r.o, r.scores, values, d, true)
		return
	}
	for i := range r.n {
		if from, to := r.visible(i, number); to > from {
			d.Tokens, d.K = 1, to
			gemm.F32(r.o[i*r.oStride:], r.scores[i*PageLen:], values, d, true)
		}
	}
}

// visible returns the positions of a page that row i sees, as a range within the page.
func (r *queryRows) visible(i, number int) (from, to int) {
	pos := r.pos + i*r.advance
	to = min(PageLen, pos+1-number*PageLen)
	if r.Window > 0 {
		from = max(0, pos-r.Window+1-number*PageLen)
	}
	return from, to
}
