package nn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/attn"
	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

const (
	// queries is the most query rows that share the reading of a page.
	queries = 32
	// headsTogether is the most query heads of one token that do.
	headsTogether = 8
	// segmentPages is the pages over which a softmax is computed by itself; those of the segments are
	// then merged in order. A long text's segments can be shared among threads.
	segmentPages = 4
)

// attend computes o [T, Heads·ValueDim] from the rotated queries, [T, Heads·KeyDim], in parallel
// over spans, key heads and groups of rows, and over segments for single tokens.
func attend(a heads, o, q tensor.Mat, spans []Span, ws *tensor.Workspace) {
	task := tensor.Local[attending](ws)
	*task = attending{heads: a, o: o, q: q, parts: task.parts[:0], joins: task.joins[:0], states: task.states}
	for i, s := range spans {
		for from := s.From; from < s.To; from += queries {
			for h := range a.KVHeads {
				task.add(attendPart{span: &spans[i], head: h, from: from, to: min(from+queries, s.To), segment: -1})
			}
		}
	}
	task.scores, task.outs = ws.Floats(task.rows*PageLen), ws.Floats(task.rows*a.ValueDim)
	if len(task.states) < 2*task.rows {
		task.states = make([]attn.Softmax, 4*task.rows)
	}
	ws.Pool.Run(len(task.parts), task)
	task.joining = true
	ws.Pool.Run(len(task.joins), task)
	clear(task.parts)
	*task = attending{parts: task.parts[:0], joins: task.joins[:0], states: task.states}
}

// attending is the task of attend.
type attending struct {
	heads
	o, q    tensor.Mat
	parts   []attendPart
	joins   []attendJoin
	joining bool // the joins are run, not the parts

	rows   int            // of all parts
	scores []float32      // [rows, PageLen]
	outs   []float32      // of a segment, [rows, ValueDim]
	states []attn.Softmax // of a segment, [rows], and of all so far, [rows]
}

// attendPart is some rows of a span, for query heads that share a key head.
type attendPart struct {
	span         *Span
	head         int // with keys
	first, count int // of the query heads
	from, to     int
	segment      int // the only one that the part computes, -1 for all that its rows see
	row          int // its first in scores, outs and states
}

// attendJoin is parts, one after another, that are the segments of the same rows.
type attendJoin struct{ part, count int }

// add lists a part for all query heads of its key head, or, of a single token, several for some
// of them and a segment each.
func (t *attending) add(p attendPart) {
	group := t.Heads / t.KVHeads
	p.count = group
	if p.to-p.from > 1 {
		p.first = p.head * group
		t.append(p, p.to-p.from)
		return
	}
	first, last := t.segments(p.position(), t.last(p.span.State.KV, p.position()))
	for at := 0; at < group; at += headsTogether {
		p.first, p.count, p.segment = p.head*group+at, min(headsTogether, group-at), -1
		if first == last {
			t.append(p, p.count)
			continue
		}
		t.joins = append(t.joins, attendJoin{len(t.parts), last - first + 1})
		for p.segment = first; p.segment <= last; p.segment++ {
			t.append(p, p.count)
		}
	}
}

func (t *attending) append(p attendPart, rows int) {
	p.row = t.rows
	t.rows += rows
	t.parts = append(t.parts, p)
}

// position is that of the part's first row.
func (p *attendPart) position() int { return p.span.Pos + p.from - p.span.From }

// last returns the last position that the row at a position sees.
func (a *heads) last(kv *KV, pos int) int {
	if a.Full {
		return kv.len - 1
	}
	return pos
}

// segments returns the first and the last segment that rows at positions from to to see.
func (a *heads) segments(from, to int) (first, last int) {
	if a.Window > 0 {
		first = max(0, from-a.Window+1) / PageLen / segmentPages
	}
	return first, to / PageLen / segmentPages
}

// Do attends for one part, or joins the segments of a token. The rows of a product are the part's
// tokens for one query head, or, for a single token, its query heads.
func (t *attending) Do(i int) {
	if t.joining {
		t.join(t.joins[i])
		return
	}
	p := t.parts[i]
	r := queryRows{heads: t.heads, kv: p.span.State.KV, head: p.head, pos: p.position(), scores: t.scores[p.row*PageLen:]}
	q := func(h int) []float32 { return t.q.Data[p.from*t.q.Stride+h*t.KeyDim:] }
	o := func(h int) []float32 { return t.o.Data[p.from*t.o.Stride+h*t.ValueDim:] }
	outs, states, totals := t.outs[p.row*t.ValueDim:], t.states[p.row:], t.states[t.rows+p.row:]
	switch {
	case p.segment >= 0:
		r.n, r.q, r.qStride = p.count, q(p.first), t.KeyDim
		r.segment(p.segment, outs, t.ValueDim, states)
	case p.to-p.from == 1:
		r.n, r.q, r.qStride = p.count, q(p.first), t.KeyDim
		r.attend(o(p.first), t.ValueDim, outs, states, totals)
	default:
		r.n, r.qStride, r.advance = p.to-p.from, t.q.Stride, 1
		for h := p.first; h < p.first+p.count; h++ {
			r.q = q(h)
			r.attend(o(h), t.o.Stride, outs, states, totals)
		}
	}
}

// join merges the segments of a token's heads.
func (t *attending) join(j attendJoin) {
	p := t.parts[j.part]
	for h := range p.count {
		row := t.o.Data[p.from*t.o.Stride+(p.first+h)*t.ValueDim:][:t.ValueDim]
		total := attn.NewSoftmax()
		for i := range j.count {
			at := t.parts[j.part+i].row + h
			merge(row, &total, t.outs[at*t.ValueDim:][:t.ValueDim], t.states[at])
		}
		vec.Scale(row, 1/total.Sum, row)
	}
}

// merge adds a segment's output to what earlier ones gave. A segment without a visible key, whose
// sum is 0, adds nothing.
func merge(row []float32, total *attn.Softmax, out []float32, s attn.Softmax) {
	switch {
	case s.Sum == 0:
	case total.Sum == 0:
		copy(row, out)
		*total = s
	default:
		before, now := total.Merge(s)
		vec.Scale(row, before, row)
		vec.Axpy(row, now, out)
	}
}

// queryRows is a group of query rows that read one head of a cache.
type queryRows struct {
	heads
	kv           *KV
	head         int // with keys
	pos, advance int // row r stands at position pos + r·advance
	n            int
	q            []float32 // rows qStride apart
	qStride      int
	scores       []float32 // [n, PageLen]

	o       []float32 // of a segment, rows oStride apart
	oStride int
	states  []attn.Softmax
}

// attend computes o, rows oStride apart. A row meets the same segments and pages in the same order,
// with the same products, whatever rows it is grouped with. Outs [n, ValueDim], states and totals [n]
// are scratch.
func (r *queryRows) attend(o []float32, oStride int, outs []float32, states, totals []attn.Softmax) {
	first, last := r.segments(r.pos, r.end())
	r.segment(first, o, oStride, totals)
	row := func(i int) []float32 { return o[i*oStride : i*oStride+r.ValueDim] }
	for s := first + 1; s <= last; s++ {
		r.segment(s, outs, r.ValueDim, states)
		for i := range r.n {
			merge(row(i), &totals[i], outs[i*r.ValueDim:][:r.ValueDim], states[i])
		}
	}
	for i := range r.n {
		vec.Scale(row(i), 1/totals[i].Sum, row(i))
	}
}

// segment computes the sums of the rows over the pages of one segment that any of them sees.
func (r *queryRows) segment(s int, o []float32, oStride int, states []attn.Softmax) {
	r.o, r.oStride, r.states = o, oStride, states
	for i := range r.n {
		states[i] = attn.NewSoftmax()
		clear(o[i*oStride : i*oStride+r.ValueDim])
	}
	first, last := s*segmentPages, min((s+1)*segmentPages-1, r.end()/PageLen)
	if r.Window > 0 {
		first = max(first, max(0, r.pos-r.Window+1)/PageLen)
	}
	for number := first; number <= last; number++ {
		r.page(number)
	}
}

// page folds one page into the rows' sums.
func (r *queryRows) page(number int) {
	keys, values := r.kv.head(number, r.head)
	held := min(PageLen, r.end()+1-number*PageLen)
	keys.product(r.scores, r.q, gemm.Dims{Tokens: r.n, Rows: held, K: r.KeyDim, DstStride: PageLen, XStride: r.qStride}, false)
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
		corr := r.states[i].Step(scores, r.Scale)
		row := r.o[i*r.oStride : i*r.oStride+r.ValueDim]
		vec.Scale(row, corr, row)
	}
	d := gemm.Dims{Tokens: r.n, Rows: r.ValueDim, K: held, DstStride: r.oStride, XStride: PageLen, PanelK: PageLen}
	if whole || r.Full {
		values.product(r.o, r.scores, d, true)
		return
	}
	for i := range r.n {
		if from, to := r.visible(i, number); to > from {
			d.Tokens, d.K = 1, to
			values.product(r.o[i*r.oStride:], r.scores[i*PageLen:], d, true)
		}
	}
}

// end returns the last position that any row sees.
func (r *queryRows) end() int { return r.last(r.kv, r.pos+(r.n-1)*r.advance) }

// visible returns the positions of a page that row i sees, as a range within the page.
func (r *queryRows) visible(i, number int) (from, to int) {
	pos := r.last(r.kv, r.pos+i*r.advance)
	to = min(PageLen, pos+1-number*PageLen)
	if r.Window > 0 {
		from = max(0, pos-r.Window+1-number*PageLen)
	}
	return from, to
}
