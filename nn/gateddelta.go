package nn

import (
	"github.com/mminfer/mminfer/kernels/delta"
	"github.com/mminfer/mminfer/kernels/norm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// GatedDelta is the gated delta rule: S ← a·S; S ← S + k·(β·(v - Sᵀk))ᵀ; o = K^-½·Sᵀq, with
// queries and keys of unit length. Value head j has the query and key of head j·KeyHeads/Heads.
// The rates are the logits of β, [Heads], then those of the decay, [Heads]:
// log a = NegA·softplus(rate + DtBias).
//
// Sources: Yang, Kautz, Hatamizadeh 2024, arXiv:2412.06464, section 3; fla/layers/gated_deltanet.py
// in fla-org/flash-linear-attention 0.6.0.
type GatedDelta struct {
	plain
	Heads, KeyHeads, KeyDim, ValueDim int
	Conv                              [3]*ShortConv // of queries, keys and values; nil for none
	NegA                              []float32     // -exp(A_log), [Heads]
	DtBias                            []float32     // [Heads]
	NegativeEigenvalues               bool          // β doubled
}

func (m *GatedDelta) shape() recurShape {
	K, V := m.KeyDim, m.ValueDim
	return recurShape{
		heads: m.Heads, q: m.KeyHeads * K, k: m.KeyHeads * K, v: m.Heads * V, rate: 2 * m.Heads, o: V,
		state:   K*V + m.Conv[0].tail(K) + m.Conv[1].tail(K) + m.Conv[2].tail(V),
		scratch: 2*K + V + 2,
	}
}

func (m *GatedDelta) advance(o tensor.Mat, in signals, head int, state, scratch []float32) {
	K, V, n, key := m.KeyDim, m.ValueDim, o.Rows, head*m.KeyHeads/m.Heads
	q, k, v, rates := scratch[:n*K], scratch[n*K:2*n*K], scratch[2*n*K:n*(2*K+V)], scratch[n*(2*K+V):n*(2*K+V+2)]
	rest := m.Conv[0].run(q, headOf(in.q, key, K), key, state[K*V:])
	rest = m.Conv[1].run(k, headOf(in.k, key, K), key, rest)
	m.Conv[2].run(v, headOf(in.v, head, V), head, rest)
	all := scratch[:n*(2*K+V)]
	vec.SiLU(all, all)
	norm.L2(scratch[:2*n*K], scratch[:2*n*K], K, l2Eps)

	beta, decay := rates[:n], rates[n:]
	strength(beta, headOf(in.rate, head, 1), m.NegativeEigenvalues)
	for i := range decay {
		decay[i] = in.rate.Data[i*in.rate.Stride+m.Heads+head] + m.DtBias[head]
	}
	vec.Softplus(decay, decay)
	vec.Scale(decay, m.NegA[head], decay)
	vec.Exp(decay, decay)

	r := delta.Gated{
		O: o.Data, Q: q, K: k, V: v, OStride: o.Stride, QStride: K, KStride: K, VStride: V,
		Decay: decay, DecayStride: 1, Beta: beta, BetaStride: 1,
		S: state[:K*V], SStride: V, Tokens: n, KDim: K, VDim: V, Scale: invSqrt(K),
	}
	delta.GatedRule(&r)
}
