package nn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/delta"
	"github.com/mminfer/mminfer/kernels/norm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// l2Eps is the epsilon of the unit-length norm of queries and keys, inside the root.
const l2Eps = 1e-6

// DeltaNet is the delta rule: S ← S + k·(β·(v - Sᵀk))ᵀ, o = K^-½·Sᵀq, with normalised queries
// and keys. The rates are the logits of β, [Heads], if there are any.
//
// Sources: Yang et al. 2024, arXiv:2406.06484, section 3.3; fla/layers/delta_net.py in
// fla-org/flash-linear-attention 0.6.0.
type DeltaNet struct {
	plain
	Heads, KeyDim, ValueDim int
	Conv                    [3]*ShortConv // of queries, keys and values; nil for none
	Act                     Activation    // of queries and keys; values have SiLU
	SumNorm                 bool          // divide by the sum of magnitudes instead of the length
	Beta                    bool          // β = σ(rate), otherwise 1
	NegativeEigenvalues     bool          // β doubled
}

func (m *DeltaNet) shape() recurShape {
	K, V := m.KeyDim, m.ValueDim
	s := recurShape{
		heads: m.Heads, q: m.Heads * K, k: m.Heads * K, v: m.Heads * V, o: V,
		state:   K*V + m.Conv[0].tail(K) + m.Conv[1].tail(K) + m.Conv[2].tail(V),
		scratch: 2*K + V + 1,
	}
	if m.Beta {
		s.rate = m.Heads
	}
	return s
}

func (m *DeltaNet) advance(o tensor.Mat, in signals, head int, state, scratch []float32) {
	K, V, n := m.KeyDim, m.ValueDim, o.Rows
	q, k, v, beta := scratch[:n*K], scratch[n*K:2*n*K], scratch[2*n*K:n*(2*K+V)], scratch[n*(2*K+V):n*(2*K+V+1)]
	rest := m.Conv[0].run(q, headOf(in.q, head, K), head, state[K*V:])
	rest = m.Conv[1].run(k, headOf(in.k, head, K), head, rest)
	m.Conv[2].run(v, headOf(in.v, head, V), head, rest)
	vec.SiLU(v, v)
	m.Act.Apply(scratch[:2*n*K])
	if m.SumNorm {
		unitSum(scratch[:2*n*K], K)
	} else {
		norm.L2(scratch[:2*n*K], scratch[:2*n*K], K, l2Eps)
	}
	if m.Beta {
		strength(beta, headOf(in.rate, head, 1), m.NegativeEigenvalues)
	} else {
		for i := range beta {
			beta[i] = 1
		}
		if m.NegativeEigenvalues {
			vec.Scale(beta, 2, beta)
		}
	}
	r := delta.Gated{
		O: o.Data, Q: q, K: k, V: v, OStride: o.Stride, QStride: K, KStride: K, VStride: V,
		Decay: one, Beta: beta, BetaStride: 1,
		S: state[:K*V], SStride: V, Tokens: n, KDim: K, VDim: V, Scale: invSqrt(K),
	}
	delta.GatedRule(&r)
}

// strength computes β = σ(x) of one head, doubled if asked.
func strength(beta []float32, x tensor.Mat, doubled bool) {
	for i := range beta {
		beta[i] = x.Data[i*x.Stride]
	}
	vec.Sigmoid(beta, beta)
	if doubled {
		vec.Scale(beta, 2, beta)
	}
}

// unitSum divides rows of k numbers by the sum of their magnitudes.
func unitSum(x []float32, k int) {
	for ; len(x) > 0; x = x[k:] {
		var s float32
		for _, v := range x[:k] {
			s += float32(math.Abs(float64(v)))
		}
		vec.Scale(x[:k], 1/max(s, 1e-6), x[:k])
	}
}
