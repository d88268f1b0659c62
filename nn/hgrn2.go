package nn

import (
	"github.com/mminfer/mminfer/kernels/linattn"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// HGRN2 is a gated recurrence with an outer product as its state: S ← diag(F)·S + (1 - F)·vᵀ,
// o = K^-½·Sᵀq, F = σ(f), or l + (1 - l)·σ(f) with lower bounds l. Forget gates take the place
// of the keys.
//
// Sources: Qin et al. 2024, arXiv:2404.07904, section 3; fla/layers/hgrn2.py in
// fla-org/flash-linear-attention 0.6.0.
type HGRN2 struct {
	plain
	Heads, KeyDim, ValueDim int
	Conv                    [3]*ShortConv // of queries, forget gates and values, nothing behind them; nil for none
	Lower                   []float32     // lower bounds of the forget gates, [Heads·KeyDim]; nil for 0
}

func (m *HGRN2) shape() recurShape {
	K, V := m.KeyDim, m.ValueDim
	return recurShape{
		heads: m.Heads, q: m.Heads * K, k: m.Heads * K, v: m.Heads * V, o: V,
		state:   K*V + m.Conv[0].tail(K) + m.Conv[1].tail(K) + m.Conv[2].tail(V),
		scratch: 3*K + V,
	}
}

func (m *HGRN2) advance(o tensor.Mat, in signals, head int, state, scratch []float32) {
	K, V, n := m.KeyDim, m.ValueDim, o.Rows
	q, k, v, f := scratch[:n*K], scratch[n*K:2*n*K], scratch[2*n*K:n*(2*K+V)], scratch[n*(2*K+V):n*(3*K+V)]
	rest := m.Conv[0].run(q, headOf(in.q, head, K), head, state[K*V:])
	rest = m.Conv[1].run(f, headOf(in.k, head, K), head, rest)
	m.Conv[2].run(v, headOf(in.v, head, V), head, rest)
	vec.SiLU(q, q)
	for i := range n {
		forget(f[i*K:(i+1)*K], k[i*K:(i+1)*K], m.Lower, head*K)
	}
	r := linattn.Recurrence{
		O: o.Data, Q: q, K: k, V: v, OStride: o.Stride, QStride: K, KStride: K, VStride: V,
		Decay: f, DecayStride: K, Axis: linattn.PerKey,
		S: state[:K*V], SStride: V, Tokens: n, KDim: K, VDim: V, Scale: invSqrt(K),
	}
	linattn.Recur(&r)
}

// forget turns the logits of a forget gate into the gate F and 1 - F, each without cancellation.
// Their lower bounds are lower[at:], if there are any.
func forget(f, rest, lower []float32, at int) {
	vec.Scale(rest, -1, f)
	vec.Sigmoid(rest, rest)
	vec.Sigmoid(f, f)
	if lower == nil {
		return
	}
	for i, l := range lower[at : at+len(f)] {
		f[i] = l + float32((1-l)*f[i])
		rest[i] *= 1 - l
	}
}
