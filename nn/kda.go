package nn

import (
	"github.com/mminfer/mminfer/kernels/delta"
	"github.com/mminfer/mminfer/kernels/norm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// KDA is Kimi's delta attention: the gated delta rule with a decay for each key. The rates are
// those of the decays, [Heads·KeyDim], then the logits of β, [Heads]:
// log a = NegA·softplus(rate + DtBias), or with a lower bound LowerBound·σ(-NegA·(rate + DtBias)).
//
// Sources: Kimi Team 2025, arXiv:2510.26692, section 3; fla/layers/kda.py in
// fla-org/flash-linear-attention 0.6.0.
type KDA struct {
	plain
	Heads, KeyHeads, KeyDim, ValueDim int
	Conv                              [3]*ShortConv // of queries, keys and values; nil for none
	NegA                              []float32     // -exp(A_log), [Heads]
	DtBias                            []float32     // [Heads·KeyDim]
	LowerBound                        float32       // of the log decay, 0 for none
	NegativeEigenvalues               bool          // β doubled
}

func (m *KDA) shape() recurShape {
	K, V := m.KeyDim, m.ValueDim
	return recurShape{
		heads: m.Heads, q: m.KeyHeads * K, k: m.KeyHeads * K, v: m.Heads * V, rate: m.Heads * (K + 1), o: V,
		state:   K*V + m.Conv[0].tail(K) + m.Conv[1].tail(K) + m.Conv[2].tail(V),
		scratch: 4*K + V + 1,
	}
}

func (m *KDA) advance(o tensor.Mat, in signals, head int, state, scratch []float32) {
	K, V, n, key := m.KeyDim, m.ValueDim, o.Rows, head*m.KeyHeads/m.Heads
	q, k, v := scratch[:n*K], scratch[n*K:2*n*K], scratch[2*n*K:n*(2*K+V)]
	decay, probe, beta := scratch[n*(2*K+V):n*(3*K+V)], scratch[n*(3*K+V):n*(4*K+V)], scratch[n*(4*K+V):n*(4*K+V+1)]
	rest := m.Conv[0].run(q, headOf(in.q, key, K), key, state[K*V:])
	rest = m.Conv[1].run(k, headOf(in.k, key, K), key, rest)
	m.Conv[2].run(v, headOf(in.v, head, V), head, rest)
	all := scratch[:n*(2*K+V)]
	vec.SiLU(all, all)
	norm.L2(scratch[:2*n*K], scratch[:2*n*K], K, l2Eps)

	m.decay(decay, headOf(in.rate.Columns(0, m.Heads*K), head, K), head)
	vec.Mul(probe, decay, k)
	strength(beta, headOf(in.rate.Columns(m.Heads*K, in.rate.Cols), head, 1), m.NegativeEigenvalues)
	r := delta.Diagonal{
		Gated: delta.Gated{
			O: o.Data, Q: q, K: k, V: v, OStride: o.Stride, QStride: K, KStride: K, VStride: V,
			Decay: decay, DecayStride: K, Beta: beta, BetaStride: 1,
			S: state[:K*V], SStride: V, Tokens: n, KDim: K, VDim: V, Scale: invSqrt(K),
		},
		P: probe, PStride: K,
	}
	delta.DiagonalRule(&r)
}

// decay computes the decays of one head from their rates.
func (m *KDA) decay(a []float32, x tensor.Mat, head int) {
	K := m.KeyDim
	for i := range x.Rows {
		vec.Add(a[i*K:(i+1)*K], x.Row(i), m.DtBias[head*K:(head+1)*K])
	}
	if m.LowerBound != 0 {
		vec.Scale(a, -m.NegA[head], a)
		vec.Sigmoid(a, a)
		vec.Scale(a, m.LowerBound, a)
	} else {
		vec.Softplus(a, a)
		vec.Scale(a, m.NegA[head], a)
	}
	vec.Exp(a, a)
}
