package nn

import (
	"math"
	"sync"

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
	// sharesTogether is the most shares, see [heads.share], of one token that a part takes: the keys and
	// values of a page's heads lie one after the other, and are read so.
	sharesTogether = 8
	// partsPerThread lets fast threads take more.
	partsPerThread = 4
	// segmentPages is the pages over which a softmax is computed by itself; those of the segments are
	// then merged in order. A long text's segments can be shared among threads.
	segmentPages = 4
)

// rooms have space for the keys and values in 8 bits that a thread has widened.
var rooms = sync.Pool{New: func() any { return new([gemm.CacheRoom]float32) }}

// attend computes o [T, Heads·ValueDim] from the rotated queries, [T, Heads·KeyDim], in parallel
// over spans, key heads and groups of rows, and over segments for single tokens.
func attend(a heads, o, q tensor.Mat, spans []Span, ws *tensor.Workspace) {
	task := tensor.Local[attending](ws)
	*task = attending{heads: a, o: o, q: q, parts: task.parts[:0], joins: task.joins[:0], states: task.states}
	for i := range spans {
		task.add(&spans[i], ws.Pool.Threads())
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

// attendPart is some rows of a span, for some shares of the query heads.
type attendPart struct {
	span         *Span
	from, to     int
	first, count int // of the shares: of several rows one key head's, all of them
	segment      int // the only one that the part computes, -1 for all that its rows see
	row          int // its first in scores, outs and states
}

// attendJoin is a share of parts, one after another, that are the segments of the same row.
type attendJoin struct{ part, count, share, row int }

// shares is how many shares a key head has.
func (a *heads) shares() int { return (a.Heads/a.KVHeads + headsTogether - 1) / headsTogether }

// share returns the key head of a share and its query heads: those of one token that read the same
// keys together.
func (a *heads) share(i int) (head, first, count int) {
	group := a.Heads / a.KVHeads
	head, at := i/a.shares(), i%a.shares()*headsTogether
	return head, head*group + at, min(headsTogether, group-at)
}

// add lists the parts of a span: some rows and one key head each, or, of a single token, some shares
// and a segment.
func (t *attending) add(s *Span, threads int) {
	shares := t.shares()
	for from := s.From; from < s.To; from += queries {
		p := attendPart{span: s, from: from, to: min(from+queries, s.To), segment: -1}
		if p.to-from > 1 {
			for p.count = shares; p.first < t.KVHeads*shares; p.first += shares {
				t.append(p, p.to-from)
			}
			continue
		}
		first, last := t.segments(p.position(), t.last(s.State.KV, p.position()))
		n := last - first + 1
		some := max(1, min(sharesTogether, t.KVHeads*shares*n/(partsPerThread*threads)))
		for ; p.first < t.KVHeads*shares; p.first += some {
			p.count, p.segment = min(some, t.KVHeads*shares-p.first), -1
			rows := 0
			for i := range p.count {
				_, _, count := t.share(p.first + i)
				if n > 1 {
					t.joins = append(t.joins, attendJoin{len(t.parts), n, p.first + i, rows})
				}
				rows += count
			}
			if n == 1 {
				t.append(p, rows)
				continue
			}
			for p.segment = first; p.segment <= last; p.segment++ {
				t.append(p, rows)
			}
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

// Do attends for one part, or joins the segments of a token.
func (t *attending) Do(i int) {
	switch {
	case t.joining:
		t.join(t.joins[i])
	case t.parts[i].span.State.KV.spec.Format == tensor.FormatQ8:
		wide := rooms.Get().(*[gemm.CacheRoom]float32)
		t.attend(t.parts[i], wide[:])
		rooms.Put(wide)
	default:
		t.attend(t.parts[i], nil)
	}
}

// attend attends for one part; wide is scratch, nil if keys and values are not in 8 bits.
func (t *attending) attend(p attendPart, wide []float32) {
	if p.to-p.from > 1 {
		t.tokens(p, wide)
	} else {
		t.token(p, wide)
	}
}

// tokens attends for several tokens: the rows of a product are those, for one query head.
func (t *attending) tokens(p attendPart, wide []float32) {
	head, first, _ := t.share(p.first)
	r := t.queryRows(p, head, wide)
	r.n, r.qStride, r.advance = p.to-p.from, t.q.Stride, 1
	for h := first; h < first+t.Heads/t.KVHeads; h++ {
		r.q = t.q.Data[p.from*t.q.Stride+h*t.KeyDim:]
		r.attend(t.o.Data[p.from*t.o.Stride+h*t.ValueDim:], t.o.Stride, t.outs[p.row*t.ValueDim:], t.states[p.row:], t.states[t.rows+p.row:])
	}
}

// token attends for a single token: the rows of a product are a share's query heads. The shares of a
// segment pass it together, page by page.
func (t *attending) token(p attendPart, wide []float32) {
	var all [sharesTogether]queryRows
	row := p.row
	for i := range p.count {
		head, first, count := t.share(p.first + i)
		r := &all[i]
		*r = t.queryRows(p, head, wide)
		r.n, r.q, r.qStride, r.scores = count, t.q.Data[p.from*t.q.Stride+first*t.KeyDim:], t.KeyDim, t.scores[row*PageLen:]
		outs, states := t.outs[row*t.ValueDim:], t.states[row:]
		if p.segment < 0 {
			r.attend(t.o.Data[p.from*t.o.Stride+first*t.ValueDim:], t.ValueDim, outs, states, t.states[t.rows+row:])
		} else {
			r.begin(outs, t.ValueDim, states)
		}
		row += count
	}
	if p.segment < 0 {
		return
	}
	for number, last := all[0].pages(p.segment); number <= last; number++ {
		for i := range p.count {
			all[i].page(number)
		}
	}
}

// queryRows returns what all rows of a part have in common.
func (t *attending) queryRows(p attendPart, head int, wide []float32) queryRows {
	return queryRows{heads: t.heads, kv: p.span.State.KV, head: head, pos: p.position(), scores: t.scores[p.row*PageLen:], wide: wide}
}

// join merges the segments of a token's heads.
func (t *attending) join(j attendJoin) {
	from := t.parts[j.part].from
	_, first, count := t.share(j.share)
	for h := range count {
		row := t.o.Data[from*t.o.Stride+(first+h)*t.ValueDim:][:t.ValueDim]
		total := attn.NewSoftmax()
		for i := range j.count {
			at := t.parts[j.part+i].row + j.row + h
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
	wide         []float32 // scratch, [gemm.CacheRoom], if keys and values are in 8 bits

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
	r.begin(o, oStride, states)
	for number, last := r.pages(s); number <= last; number++ {
		r.page(number)
	}
}

// begin starts the sums of a segment.
func (r *queryRows) begin(o []float32, oStride int, states []attn.Softmax) {
	r.o, r.oStride, r.states = o, oStride, states
	for i := range r.n {
		states[i] = attn.NewSoftmax()
		clear(o[i*oStride : i*oStride+r.ValueDim])
	}
}

// pages returns the first and the last page of a segment that any row sees.
func (r *queryRows) pages(s int) (first, last int) {
	first, last = s*segmentPages, min((s+1)*segmentPages-1, r.end()/PageLen)
	if r.Window > 0 {
		first = max(first, max(0, r.pos-r.Window+1)/PageLen)
	}
	return first, last
}

// page folds one page into the rows' sums.
func (r *queryRows) page(number int) {
	keys, values := r.kv.head(number, r.head)
	held := min(PageLen, r.end()+1-number*PageLen)
	keys.product(r.scores, r.q, r.wide, gemm.Dims{Tokens: r.n, Rows: held, K: r.KeyDim, DstStride: PageLen, XStride: r.qStride}, false)
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
		values.product(r.o, r.scores, r.wide, d, true)
		return
	}
	for i := range r.n {
		if from, to := r.visible(i, number); to > from {
			d.Tokens, d.K = 1, to
			values.product(r.o[i*r.oStride:], r.scores[i*PageLen:], r.wide, d, true)
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
