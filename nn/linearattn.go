package nn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/linattn"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// LinearAttn is linear attention with feature maps: S ← S + φ(k)·vᵀ, o = F^-½·Sᵀφ(q), F the
// number of features. Query head h reads key head h·KVHeads/Heads.
//
// With Normalise the outputs are divided by F^-½·φ(q)·Σφ(k) + 10⁻¹⁰; the sum is one more column
// of the state, whose values are 1.
//
// Sources: Katharopoulos et al. 2020, arXiv:2006.16236, equations 9 to 12; fla/layers/linear_attn.py
// in fla-org/flash-linear-attention 0.6.0.
type LinearAttn struct {
	Heads, KVHeads, KeyDim, ValueDim int
	Query, Key                       *FeatureMap
	NormQ, NormK                     bool // divide features by their sum + 10⁻⁴
	Normalise                        bool
}

// one is a decay that changes nothing.
var one = []float32{1}

func (m *LinearAttn) features() int { return m.Key.width(m.KeyDim) }

// columns is the number of columns of the state.
func (m *LinearAttn) columns() int {
	if m.Normalise {
		return m.ValueDim + 1
	}
	return m.ValueDim
}

func (m *LinearAttn) shape() recurShape {
	f, v := m.features(), m.columns()
	return recurShape{
		heads: m.Heads, q: m.Heads * m.KeyDim, k: m.KVHeads * m.KeyDim, v: m.KVHeads * m.ValueDim, o: m.ValueDim,
		state: f * v, scratch: 2*f + 2*v + max(m.Query.scratch(m.KeyDim), m.Key.scratch(m.KeyDim)),
	}
}

func (m *LinearAttn) prepare(in signals, _ []Span, ws *tensor.Workspace) signals {
	in.q, in.k = m.Query.project(in.q, m.KeyDim, ws), m.Key.project(in.k, m.KeyDim, ws)
	return in
}

func (m *LinearAttn) extra() (bytes, mulAdds int64) {
	for _, f := range []struct {
		*FeatureMap
		heads int
	}{{m.Query, m.Heads}, {m.Key, m.KVHeads}} {
		if f.FeatureMap != nil && f.Proj != nil {
			bytes, mulAdds = bytes+f.Proj.W.Bytes(), mulAdds+f.Proj.elements()*int64(f.heads)
		}
	}
	return bytes, mulAdds
}

func (m *LinearAttn) advance(o tensor.Mat, in signals, head int, state, scratch []float32) {
	n, f, c, kv := o.Rows, m.features(), m.columns(), head*m.KVHeads/m.Heads
	q, k, v := scratch[:n*f], scratch[n*f:2*n*f], scratch[2*n*f:n*(2*f+c)]
	out, rest := scratch[n*(2*f+c):n*(2*f+2*c)], scratch[n*(2*f+2*c):]
	m.Query.apply(q, headOf(in.q, head, m.Query.inner(m.KeyDim)), rest)
	m.Key.apply(k, headOf(in.k, kv, m.Key.inner(m.KeyDim)), rest)
	if m.NormQ {
		divideBySum(q, f)
	}
	if m.NormK {
		divideBySum(k, f)
	}
	for i := range n {
		copy(v[i*c:], headOf(in.v, kv, m.ValueDim).Row(i))
		if m.Normalise {
			v[(i+1)*c-1] = 1
		}
	}
	r := linattn.Recurrence{
		O: out, Q: q, K: k, V: v, OStride: c, QStride: f, KStride: f, VStride: c, Decay: one,
		S: state, SStride: c, Tokens: n, KDim: f, VDim: c, Scale: invSqrt(f),
	}
	linattn.Recur(&r)
	for i := range n {
		row := out[i*c : i*c+m.ValueDim]
		if m.Normalise {
			vec.Scale(row, 1/(out[(i+1)*c-1]+1e-10), row)
		}
		copy(o.Row(i), row)
	}
}

// divideBySum divides rows of f numbers by their sum.
func divideBySum(x []float32, f int) {
	for ; len(x) > 0; x = x[f:] {
		vec.Scale(x[:f], 1/(vec.Sum(x[:f])+1e-4), x[:f])
	}
}

// invSqrt returns n^-½.
func invSqrt(n int) float32 { return float32(1 / math.Sqrt(float64(n))) }
