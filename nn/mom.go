package nn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/route"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// MoM is a mixture of memories, each a gated delta rule over the tokens that chose it. A router
// sends every token to TopK of Memories memories; a shared memory, if there is one, sees all
// tokens. A memory's state and its convolutions' history belong to its own tokens: a token that
// goes elsewhere leaves them untouched. The outputs are mixed by the router's weights.
//
// Sources: Du et al. 2025, arXiv:2502.13685, section 3; MomGatedDeltaNet in
// OpenSparseLLMs/MoM@033057c and fla-org/flash-linear-attention@bc3b101d, fla/layers/mom.py.
type MoM struct {
	Heads, KeyDim, ValueDim int
	Memories, TopK          int
	Shared                  bool // a memory that sees every token
	OneKV                   bool // all memories use the shared keys and values

	// Common projects every token: queries [H·K], then, where Shared or OneKV, keys [H·K] and
	// values [H·V], then, where Gated, the output gate [H·V].
	Common *Linear
	Gated  bool
	// Small projects every token: router logits [M], then β [S·H], then decays [S·H], for the
	// memories in order and the shared one last. With OneKV S is 1.
	Small *Linear
	// KV projects a memory's tokens to keys [H·K] and values [H·V]; nil with OneKV.
	KV []*Linear

	Conv   [3][]float32 // taps of queries, keys and values for each head, [H, W, K], [H, W, K], [H, W, V]
	Taps   int
	NegA   []float32 // -exp(A_log), [H]
	DtBias []float32 // [H]
	Norm   Norm      // over the V values of a head
	Out    *Linear   // [D, H·V]
}

// StateSpec asks, for each memory and head, for S [K, V] and the convolutions' last Taps-1
// inputs, of queries [Taps-1, K], keys [Taps-1, K] and values [Taps-1, V].
func (m *MoM) StateSpec() StateSpec {
	return StateSpec{Floats: m.streams() * m.Heads * m.headFloats()}
}

// StepBytes counts the projections and states of the memories that a token visits.
func (m *MoM) StepBytes() int64 {
	n := m.Common.W.Bytes() + m.Small.W.Bytes() + m.Out.W.Bytes()
	visits := m.TopK
	if !m.OneKV {
		n += int64(m.TopK) * m.KV[0].W.Bytes()
	}
	if m.Shared {
		visits++
	}
	return n + int64(visits*m.Heads*m.KeyDim*m.ValueDim)*2*4
}

// StepMulAdds counts the projections of the memories that a token visits.
func (m *MoM) StepMulAdds() int64 {
	n := m.Common.elements() + m.Small.elements() + m.Out.elements()
	if !m.OneKV {
		n += int64(m.TopK) * m.KV[0].elements()
	}
	return n
}

// streams is the number of memories, the shared one included.
func (m *MoM) streams() int {
	if m.Shared {
		return m.Memories + 1
	}
	return m.Memories
}

// headFloats is the state of one head of one memory.
func (m *MoM) headFloats() int {
	return m.KeyDim*m.ValueDim + (m.Taps-1)*(2*m.KeyDim+m.ValueDim)
}

// Mix computes y from x, [T, D].
func (m *MoM) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	common, small := ws.Mat(x.Rows, m.Common.W.Rows), ws.Mat(x.Rows, m.Small.W.Rows)
	t := tensor.Local[remembering](ws)
	t.products = append(t.products[:0], tensor.Product{Dst: common, X: x, W: m.Common.W}, tensor.Product{Dst: small, X: x, W: m.Small.W})
	tensor.MatMulAll(ws, t.products)
	m.rates(small.Columns(m.Memories, small.Cols))
	t.route(m, x, common, small, spans, ws)
	t.project(x, ws)
	t.recur(ws)
	t.mix(ws)
	m.Out.Mul(y, t.out, ws)
	*t = remembering{
		products: t.products[:0], streams: t.streams[:0], parts: t.parts[:0],
	}
	ws.Release(mark)
}

// rates turns the projections of β and of the decay, [T, 2·S·H], into β = σ(b) and
// e^g, g = -exp(A_log)·softplus(a + dt_bias), in place.
func (m *MoM) rates(small tensor.Mat) {
	for i := range small.Rows {
		row := small.Row(i)
		beta, decay := row[:len(row)/2], row[len(row)/2:]
		vec.Sigmoid(beta, beta)
		for h := 0; h < len(decay); h += m.Heads {
			d := decay[h : h+m.Heads]
			vec.Add(d, d, m.DtBias)
		}
		vec.Softplus(decay, decay)
		for h := 0; h < len(decay); h += m.Heads {
			d := decay[h : h+m.Heads]
			vec.Mul(d, d, m.NegA)
		}
		vec.Exp(decay, decay)
	}
}

// remembering is the work of one Mix: the task of its recurrences.
type remembering struct {
	m             *MoM
	spans         []Span
	common, small tensor.Mat
	out           tensor.Mat // [T, H·V], mixed

	index   []int32   // the memories of every token, [T, TopK]
	weight  []float32 // their weights
	place   []int32   // the row of outs that holds each of them, [T, TopK]
	shared  int       // the first row of the shared memory in outs
	streams []stream
	parts   []recurPart
	outs    tensor.Mat // outputs, stream by stream, [rows, H·V]

	scratch    []float32 // [parts, partFloats]
	partFloats int       // of one part: convolved queries, keys and values

	products []tensor.Product
}

// stream is one memory with the tokens that chose it.
type stream struct {
	memory      int
	tokens      []int32    // rows of x in order; nil for the shared memory: all
	row         int        // its first row of outs
	n           int        // tokens
	q, kv       tensor.Mat // [n, H·K], [n, H·K+H·V]
	beta, decay tensor.Mat // [n, H]
}

// route chooses every token's memories and lists every memory's tokens.
func (t *remembering) route(m *MoM, x, common, small tensor.Mat, spans []Span, ws *tensor.Workspace) {
	T, k := x.Rows, m.TopK
	t.m, t.spans, t.common, t.small = m, spans, common, small
	t.out = ws.Mat(T, m.Heads*m.ValueDim)
	t.index, t.weight, t.place = ws.Ints(T*k), ws.Floats(T*k), ws.Ints(T*k)
	route.TopK(t.index, t.weight, small.Data, T, m.Memories, small.Stride, k)
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
	t.outs = ws.Mat(row, m.Heads*m.ValueDim)
}

// project gives every stream its queries, keys, values and rates.
func (t *remembering) project(x tensor.Mat, ws *tensor.Workspace) {
	m := t.m
	hk, hv := m.Heads*m.KeyDim, m.Heads*m.ValueDim
	t.products = t.products[:0]
	for i := range t.streams {
		s := &t.streams[i]
		rates := s.memory * m.Heads
		if m.OneKV {
			rates = 0
		}
		half := (t.small.Cols - m.Memories) / 2
		beta := t.small.Columns(m.Memories+rates, m.Memories+rates+m.Heads)
		decay := t.small.Columns(m.Memories+half+rates, m.Memories+half+rates+m.Heads)
		q := t.common.Columns(0, hk)
		if s.tokens == nil {
			s.q, s.kv, s.beta, s.decay = q, t.common.Columns(hk, 2*hk+hv), beta, decay
			continue
		}
		s.q, s.beta, s.decay = gather(q, s.tokens, ws), gather(beta, s.tokens, ws), gather(decay, s.tokens, ws)
		if m.OneKV {
			s.kv = gather(t.common.Columns(hk, 2*hk+hv), s.tokens, ws)
			continue
		}
		s.kv = ws.Mat(s.n, hk+hv)
		t.products = append(t.products, tensor.Product{Dst: s.kv, X: gather(x, s.tokens, ws), W: m.KV[s.memory].W})
	}
	tensor.MatMulAll(ws, t.products)
}

// gather copies the given rows.
func gather(x tensor.Mat, rows []int32, ws *tensor.Workspace) tensor.Mat {
	y := ws.Mat(len(rows), x.Cols)
	for i, r := range rows {
		copy(y.Row(i), x.Row(int(r)))
	}
	return y
}

// mix adds up the memories' outputs, the chosen ones in the order of their weights and the
// shared one last, then normalises and gates them.
func (t *remembering) mix(ws *tensor.Workspace) {
	m, k := t.m, t.m.TopK
	for i := range t.out.Rows {
		o := t.out.Row(i)
		vec.Scale(o, t.weight[i*k], t.outs.Row(int(t.place[i*k])))
		for j := i*k + 1; j < (i+1)*k; j++ {
			vec.Axpy(o, t.weight[j], t.outs.Row(int(t.place[j])))
		}
		if m.Shared {
			vec.Add(o, o, t.outs.Row(t.shared+i))
		}
	}
	m.Norm.Apply(t.out, t.out, ws)
	if m.Gated {
		siluMul(t.out, t.common.Columns(t.common.Cols-t.out.Cols, t.common.Cols), t.out, ws)
	}
}

// scale is the factor of a memory's outputs.
func (m *MoM) scale() float32 { return float32(1 / math.Sqrt(float64(m.KeyDim))) }
