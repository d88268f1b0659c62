package nn

import (
	"github.com/mminfer/mminfer/kernels/linattn"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// GLA is gated linear attention: S ← diag(a)·S + k·vᵀ, o = K^-½·Sᵀq, with a decay for each key,
// log a = max(log σ(rate)/Normalizer, Clamp). Query head h reads key head
// h·KVHeads/Heads, its decays included.
//
// Sources: Yang et al. 2024, arXiv:2312.06635, section 4.4; fla/layers/gla.py and
// fla/layers/simple_gla.py in fla-org/flash-linear-attention 0.6.0.
type GLA struct {
	plain
	Heads, KVHeads, KeyDim, ValueDim int
	Conv                             [3]*ShortConv // of queries, keys and values, SiLU behind them; nil for none
	Act                              Activation    // of queries and keys
	Normalizer                       float32
	Clamp                            float32 // -Inf for none
	Scalar                           bool    // simple GLA: one decay for all keys of a head
}

// decays is the number of decays of a head.
func (m *GLA) decays() int {
	if m.Scalar {
		return 1
	}
	return m.KeyDim
}

func (m *GLA) shape() recurShape {
	K, V := m.KeyDim, m.ValueDim
	return recurShape{
		heads: m.Heads, q: m.Heads * K, k: m.KVHeads * K, v: m.KVHeads * V, rate: m.KVHeads * m.decays(), o: V,
		state:   K*V + m.Conv[0].tail(K) + m.Conv[1].tail(K) + m.Conv[2].tail(V),
		scratch: 2*K + V + m.decays(),
	}
}

func (m *GLA) advance(o tensor.Mat, in signals, head int, state, scratch []float32) {
	K, V, n, kv := m.KeyDim, m.ValueDim, o.Rows, head*m.KVHeads/m.Heads
	q, k, v, a := scratch[:n*K], scratch[n*K:2*n*K], scratch[2*n*K:n*(2*K+V)], scratch[n*(2*K+V):n*(2*K+V+m.decays())]
	rest := m.Conv[0].run(q, headOf(in.q, head, K), head, state[K*V:])
	rest = m.Conv[1].run(k, headOf(in.k, kv, K), kv, rest)
	m.Conv[2].run(v, headOf(in.v, kv, V), kv, rest)
	if m.Conv[0] != nil {
		all := scratch[:n*(2*K+V)]
		vec.SiLU(all, all)
	}
	m.Act.Apply(scratch[:2*n*K])
	m.decay(a, headOf(in.rate, kv, m.decays()))
	r := linattn.Recurrence{
		O: o.Data, Q: q, K: k, V: v, OStride: o.Stride, QStride: K, KStride: K, VStride: V,
		Decay: a, DecayStride: m.decays(), Axis: linattn.PerKey,
		S: state[:K*V], SStride: V, Tokens: n, KDim: K, VDim: V, Scale: invSqrt(K),
	}
	if m.Scalar {
		r.Axis = linattn.PerToken
	}
	linattn.Recur(&r)
}

// decay computes a = e^max(log σ(x)/Normalizer, Clamp) of one head.
func (m *GLA) decay(a []float32, x tensor.Mat) {
	for i := range x.Rows {
		copy(a[i*x.Cols:], x.Row(i))
	}
	logSigmoid(a, m.Normalizer)
	for i, g := range a {
		a[i] = max(g, m.Clamp)
	}
	vec.Exp(a, a)
}

// logSigmoid computes x = log σ(x) / normalizer.
func logSigmoid(x []float32, normalizer float32) {
	vec.Scale(x, -1, x)
	vec.Softplus(x, x)
	vec.Scale(x, -1/normalizer, x)
}
