package nn

import (
	"github.com/mminfer/mminfer/kernels/route"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// MoM is a mixture of memories, each a recurrence over the tokens that chose it. A router sends
// every token to TopK of Memories memories; a shared memory, if there is one, sees all tokens. A
// memory's state and its convolutions' history belong to its own tokens: a token that goes
// elsewhere leaves them untouched. The outputs are mixed by the router's weights.
//
// Sources: Du et al. 2025, arXiv:2502.13685, section 3; OpenSparseLLMs/MoM@033057c and
// fla/layers/mom.py in fla-org/flash-linear-attention@bc3b101d.
type MoM struct {
	Rec            Recurrence // of every memory
	Memories, TopK int
	Shared         bool // a memory that sees every token
	OneKV          bool // all memories use the shared keys, values and rates

	Router *Linear // [M, D], exact
	// Common projects every token: queries, then, where Shared or OneKV, the shared keys and
	// values, then, where Output has one, the gate.
	Common      *Linear
	SharedRates Rates
	Each        []Memory // the memories' own projections; nil with OneKV
	Output
}

// Memory is what one memory projects its tokens with.
type Memory struct {
	KV    *Linear // keys, then values
	Rates Rates
}

// StateSpec asks, for each memory, the shared one last, for the recurrence's state of every head.
func (m *MoM) StateSpec() StateSpec { return StateSpec{Floats: m.streams() * m.memoryFloats()} }

// memoryFloats is the state of one memory.
func (m *MoM) memoryFloats() int {
	s := m.Rec.shape()
	return s.heads * s.state
}

// streams is the number of memories, the shared one included.
func (m *MoM) streams() int {
	if m.Shared {
		return m.Memories + 1
	}
	return m.Memories
}

// visits is the number of memories that a token visits.
func (m *MoM) visits() int {
	if m.Shared {
		return m.TopK + 1
	}
	return m.TopK
}

// step sums a count over the projections of one token: those of all, and those of the memories
// that it chose.
func (m *MoM) step(count func(l *Linear) int64) int64 {
	n := count(m.Router) + count(m.Common) + count(m.Proj)
	m.SharedRates.each(func(l *Linear) { n += count(l) })
	if !m.OneKV {
		own := count(m.Each[0].KV)
		m.Each[0].Rates.each(func(l *Linear) { own += count(l) })
		n += int64(m.TopK) * own
	}
	return n
}

// StepBytes counts the projections and states of the memories that a token visits.
func (m *MoM) StepBytes() int64 {
	extra, _ := m.Rec.extra()
	return m.step(func(l *Linear) int64 { return l.W.Bytes() }) + extra + int64(m.visits()*m.memoryFloats())*2*4
}

// StepMulAdds counts the projections of the memories that a token visits.
func (m *MoM) StepMulAdds() int64 {
	_, extra := m.Rec.extra()
	return m.step((*Linear).elements) + int64(m.visits())*extra
}

// Mix computes y from x, [T, D].
func (m *MoM) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	t := tensor.Local[remembering](ws)
	t.m, t.shape, t.spans = m, m.Rec.shape(), spans
	t.project(x, ws)
	t.route(ws)
	t.projectEach(x, ws)
	t.recur(ws)
	t.mix()
	m.finish(y, t.out, t.common.Columns(t.common.Cols-t.gate, t.common.Cols), ws)
	*t = remembering{first: t.first[:0], second: t.second[:0], streams: t.streams[:0], recurring: t.recurring}
	ws.Release(mark)
}

// remembering is the work of one Mix.
type remembering struct {
	m      *MoM
	shape  recurShape
	spans  []Span
	logits tensor.Mat // of the router, [T, M]
	common tensor.Mat
	rates  tensor.Mat // the shared ones
	gate   int        // its columns, the last of common
	out    tensor.Mat // [T, H·O], mixed

	index   []int32   // the memories of every token, [T, TopK]
	weight  []float32 // their weights
	place   []int32   // the row of outs that holds each of them, [T, TopK]
	shared  int       // the first row of the shared memory in outs
	streams []stream
	outs    tensor.Mat // outputs, stream by stream, [rows, H·O]

	first, second []tensor.Product
	recurring     recurring
}

// stream is one memory with the tokens that chose it.
type stream struct {
	memory int
	tokens []int32 // rows of x in order; nil for the shared memory: all
	row    int     // its first row of outs
	n      int     // tokens
	in     signals
}

// project computes what is common to all memories.
func (t *remembering) project(x tensor.Mat, ws *tensor.Workspace) {
	m := t.m
	t.logits, t.common = ws.Mat(x.Rows, m.Memories), ws.Mat(x.Rows, m.Common.W.Rows)
	t.first = append(t.first[:0], tensor.Product{Dst: t.common, X: x, W: m.Common.W}, tensor.Product{Dst: t.logits, X: x, W: m.Router.W})
	t.second = t.second[:0]
	t.rates = m.SharedRates.project(x, &t.first, &t.second, ws)
	tensor.MatMulAll(ws, t.first)
	tensor.MatMulAll(ws, t.second)
	m.SharedRates.addBias(t.rates, ws)
	t.gate = t.common.Cols - t.shape.q
	if m.Shared || m.OneKV {
		t.gate -= t.shape.k + t.shape.v
	}
}

// route chooses every token's memories and lists every memory's tokens.
func (t *remembering) route(ws *tensor.Workspace) {
	m, T, k := t.m, t.common.Rows, t.m.TopK
	t.out = ws.Mat(T, t.shape.heads*t.shape.o)
	t.index, t.weight, t.place = ws.Ints(T*k), ws.Floats(T*k), ws.Ints(T*k)
	route.TopK(t.index, t.weight, t.logits.Data, T, m.Memories, t.logits.Stride, k)
	t.streams = t.streams[:0]
	row := 0
	for memory := range m.Memories {
		s := stream{memory: memory, row: row, tokens: ws.Ints(T)[:0]}
		for i, chosen := range t.index {
			if int(chosen) == memory {
				t.place[i] = int32(row)
				s.tokens = append(s.tokens, int32(i/k))
				row++
			}
		}
		if s.n = len(s.tokens); s.n > 0 {
			t.streams = append(t.streams, s)
		}
	}
	t.shared = row
	if m.Shared && T > 0 {
		t.streams = append(t.streams, stream{memory: m.Memories, row: row, n: T})
		row += T
	}
	t.outs = ws.Mat(row, t.out.Cols)
}

// projectEach gives every stream its signals.
func (t *remembering) projectEach(x tensor.Mat, ws *tensor.Workspace) {
	m, q, k, v := t.m, t.shape.q, t.shape.k, t.shape.v
	t.first, t.second = t.first[:0], t.second[:0]
	kv := t.common.Columns(q, t.common.Cols-t.gate)
	for i := range t.streams {
		s := &t.streams[i]
		s.in.q, s.in.rate = t.common.Columns(0, q), t.rates
		own := kv
		if s.tokens != nil {
			s.in.q = gather(s.in.q, s.tokens, ws)
			if m.OneKV {
				own, s.in.rate = gather(kv, s.tokens, ws), gather(t.rates, s.tokens, ws)
			} else {
				own = ws.Mat(s.n, k+v)
				u := gather(x, s.tokens, ws)
				t.first = append(t.first, tensor.Product{Dst: own, X: u, W: m.Each[s.memory].KV.W})
				s.in.rate = m.Each[s.memory].Rates.project(u, &t.first, &t.second, ws)
			}
		}
		s.in.k, s.in.v = own.Columns(0, k), own.Columns(k, k+v)
	}
	tensor.MatMulAll(ws, t.first)
	tensor.MatMulAll(ws, t.second)
	for i := range t.streams {
		s := &t.streams[i]
		if s.tokens != nil && !m.OneKV {
			m.Each[s.memory].Rates.addBias(s.in.rate, ws)
		}
		s.in = m.Rec.prepare(s.in, nil, ws)
	}
}

// gather copies the given rows.
func gather(x tensor.Mat, rows []int32, ws *tensor.Workspace) tensor.Mat {
	y := ws.Mat(len(rows), x.Cols)
	for i, r := range rows {
		copy(y.Row(i), x.Row(int(r)))
	}
	return y
}

// recur runs every stream's recurrence, sequence by sequence.
func (t *remembering) recur(ws *tensor.Workspace) {
	n := t.m.memoryFloats()
	t.recurring.begin(t.m.Rec)
	for i := range t.streams {
		s := &t.streams[i]
		o := t.outs.Slice(s.row, s.row+s.n)
		at := 0
		for _, span := range t.spans {
			from := at
			if s.tokens == nil {
				at += span.To - span.From
			} else {
				for at < s.n && int(s.tokens[at]) < span.To {
					at++
				}
			}
			t.recurring.add(o.Slice(from, at), s.in.slice(from, at), span.State.Floats[s.memory*n:(s.memory+1)*n])
		}
	}
	t.recurring.run(ws)
}

// mix adds up the memories' outputs, the chosen ones in the order of their weights and the
// shared one last.
func (t *remembering) mix() {
	k := t.m.TopK
	for i := range t.out.Rows {
		o := t.out.Row(i)
		vec.Scale(o, t.weight[i*k], t.outs.Row(int(t.place[i*k])))
		for j := i*k + 1; j < (i+1)*k; j++ {
			vec.Axpy(o, t.weight[j], t.outs.Row(int(t.place[j])))
		}
		if t.m.Shared {
			vec.Add(o, o, t.outs.Row(t.shared+i))
		}
	}
}
