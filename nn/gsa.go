package nn

import (
	"github.com/mminfer/mminfer/kernels/linattn"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// GSA is gated slot attention: keys and values are written to slots that decay,
// H ← H·diag(a) + k·sᵀ, p = softmax(Hᵀq), G ← diag(a)·G + s·vᵀ, o = Gᵀp, with
// log a = log σ(rate)/Normalizer and s = 1 - a for each slot. Query head h reads key head
// h·KVHeads/Heads.
//
// Sources: Zhang et al. 2024, arXiv:2409.07146, section 3; fla/layers/gsa.py in
// fla-org/flash-linear-attention 0.6.0.
type GSA struct {
	Heads, KVHeads, KeyDim, ValueDim, Slots int
	Conv                                    [3]*ShortConv // of queries, keys and values, SiLU behind them; nil for none
	Map                                     *FeatureMap   // of queries and keys; values have SiLU. Learned, it takes no Conv
	Normalizer                              float32
}

func (m *GSA) shape() recurShape {
	K, V, M := m.KeyDim, m.ValueDim, m.Slots
	return recurShape{
		heads: m.Heads, q: m.Heads * K, k: m.KVHeads * K, v: m.KVHeads * V, rate: m.KVHeads * M, o: V,
		state:   K*M + M*V + m.Conv[0].tail(K) + m.Conv[1].tail(K) + m.Conv[2].tail(V),
		scratch: 2*K + V + 3*M,
	}
}

func (m *GSA) prepare(in signals, _ []Span, ws *tensor.Workspace) signals {
	in.q, in.k = m.Map.project(in.q, m.KeyDim, ws), m.Map.project(in.k, m.KeyDim, ws)
	return in
}

func (m *GSA) extra() (bytes, mulAdds int64) {
	if m.Map == nil || m.Map.Proj == nil {
		return 0, 0
	}
	return m.Map.Proj.W.Bytes(), m.Map.Proj.elements() * int64(m.Heads+m.KVHeads)
}

func (m *GSA) advance(o tensor.Mat, in signals, head int, state, scratch []float32) {
	K, V, M, n, kv := m.KeyDim, m.ValueDim, m.Slots, o.Rows, head*m.KVHeads/m.Heads
	q, k, v := scratch[:n*K], scratch[n*K:2*n*K], scratch[2*n*K:n*(2*K+V)]
	slots := scratch[n*(2*K+V) : n*(2*K+V+3*M)]
	a, s, p := slots[:n*M], slots[n*M:2*n*M], slots[2*n*M:]
	m.load(q, k, v, in, head, kv, state[K*M+M*V:])
	for i := range n {
		copy(a[i*M:], headOf(in.rate, kv, M).Row(i))
	}
	logSigmoid(a, m.Normalizer)
	vec.Exp(a, a)
	for i, x := range a {
		s[i] = 1 - x
	}
	keys := linattn.Recurrence{
		O: p, Q: q, K: k, V: s, OStride: M, QStride: K, KStride: K, VStride: M, Decay: a, DecayStride: M, Axis: linattn.PerValue,
		S: state[:K*M], SStride: M, Tokens: n, KDim: K, VDim: M, Scale: 1,
	}
	linattn.Recur(&keys)
	for i := range n {
		row := p[i*M : (i+1)*M]
		vec.Scale(row, 1/vec.ExpSum(row, row, 1, vec.Max(row)), row)
	}
	values := linattn.Recurrence{
		O: o.Data, Q: p, K: s, V: v, OStride: o.Stride, QStride: M, KStride: M, VStride: V, Decay: a, DecayStride: M, Axis: linattn.PerKey,
		S: state[K*M : K*M+M*V], SStride: V, Tokens: n, KDim: M, VDim: V, Scale: 1,
	}
	linattn.Recur(&values)
}

// load convolves and activates the queries, keys and values of one head.
func (m *GSA) load(q, k, v []float32, in signals, head, kv int, tails []float32) {
	rest := m.Conv[0].run(q, headOf(in.q, head, m.KeyDim), head, tails)
	rest = m.Conv[1].run(k, headOf(in.k, kv, m.KeyDim), kv, rest)
	m.Conv[2].run(v, headOf(in.v, kv, m.ValueDim), kv, rest)
	if m.Conv[0] != nil {
		vec.SiLU(q, q)
		vec.SiLU(k, k)
		vec.SiLU(v, v)
	}
	for _, x := range [...][]float32{q, k} {
		whole := tensor.Mat{Rows: len(x) / m.KeyDim, Cols: m.KeyDim, Stride: m.KeyDim, Data: x}
		if m.Map != nil {
			m.Map.apply(x, whole, nil)
		}
	}
	vec.SiLU(v, v)
}
