package nn

import (
	"github.com/mminfer/mminfer/kernels/linattn"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// RWKV6 is the time mixing of RWKV-6: o = (S + diag(u)·k·vᵀ)ᵀr, S ← diag(a)·S + k·vᵀ, with decays
// a = exp(-exp(w)) for each key. Receptance r, decay w, key k, value v and gate g each see the
// token mixed with the one before, by amounts that depend on both.
//
// Sources: Peng et al. 2024, arXiv:2404.05892, section 4; fla/layers/rwkv6.py in
// fla-org/flash-linear-attention 0.6.0.
type RWKV6 struct {
	plain
	Heads, KeyDim, ValueDim int // H, K and V

	Mu      []float32    // [D], of what the mixing amounts are computed from
	Low     *Linear      // [5·r, D]
	High    [5]*Linear   // [D, r], of r, w, k, v, g
	MixBias [5][]float32 // [D]

	Receptance, Key, Value, Gate, Out *Linear
	Decay                             LowRank
	Bonus                             []float32 // u, [H·K]
	Norm                              Norm      // over the values of each head; Weight and Bias [H·V]
}

func (m *RWKV6) shape() recurShape {
	K, V := m.KeyDim, m.ValueDim
	return recurShape{heads: m.Heads, q: m.Heads * K, k: m.Heads * K, v: m.Heads * V, rate: m.Heads * K, o: V, state: K * V, scratch: K}
}

// StateSpec asks for the last token's input [D] and S [H, K, V].
func (m *RWKV6) StateSpec() StateSpec {
	return StateSpec{Floats: len(m.Mu) + m.Heads*m.KeyDim*m.ValueDim}
}

// linears calls f for every projection.
func (m *RWKV6) linears(f func(l *Linear)) {
	for _, l := range m.High {
		f(l)
	}
	for _, l := range [...]*Linear{m.Low, m.Receptance, m.Key, m.Value, m.Gate, m.Out, m.Decay.Low, m.Decay.High} {
		f(l)
	}
}

// StepBytes counts the projections and the state.
func (m *RWKV6) StepBytes() int64 {
	n := 2 * 4 * int64(m.StateSpec().Floats)
	m.linears(func(l *Linear) { n += l.W.Bytes() })
	return n
}

// StepMulAdds counts the projections.
func (m *RWKV6) StepMulAdds() (n int64) {
	m.linears(func(l *Linear) { n += l.elements() })
	return n
}

// Mix computes y from x, [T, D].
func (m *RWKV6) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	d := ws.Mat(x.Rows, x.Cols)
	shift(d, x, spans, ws)
	work := rwkvBegin(ws)
	mixed := m.mixed(x, d, work, ws)

	work.first = work.first[:0]
	w := ws.Mat(x.Rows, m.Decay.High.W.Rows)
	in := signals{rate: w}
	in.q = work.out(m.Receptance, mixed[0], ws)
	low := work.low(&m.Decay, mixed[1], w, ws)
	in.k, in.v = work.out(m.Key, mixed[2], ws), work.out(m.Value, mixed[3], ws)
	gate := work.out(m.Gate, mixed[4], ws)
	tensor.MatMulAll(ws, work.first)
	activate(low, m.Decay.Act, ws)
	tensor.MatMulAll(ws, work.second)
	addBias(w, m.Decay.Bias, ws)

	o := ws.Mat(x.Rows, m.Out.W.Cols)
	work.recur(m, o, in, x.Cols, spans, ws)
	rowwise(ws, rows{op: opGate, dst: o, a: o, b: gate, act: SiLU})
	m.Out.Mul(y, o, ws)
	ws.Release(mark)
}

// mixed returns the five mixtures of each token with the one before.
func (m *RWKV6) mixed(x, d tensor.Mat, work *rwkvWork, ws *tensor.Workspace) (mixed [5]tensor.Mat) {
	low := m.Low.Out(lerp(x, d, m.Mu, ws), ws)
	activate(low, Tanh, ws)
	r := low.Cols / len(mixed)
	for i, l := range m.High {
		mixed[i] = work.out(l, headOf(low, i, r), ws)
	}
	tensor.MatMulAll(ws, work.first)
	for i, y := range mixed {
		rowwise(ws, rows{op: opMixed, dst: y, a: x, b: d, weight: m.MixBias[i]})
	}
	return mixed
}

func (m *RWKV6) advance(o tensor.Mat, in signals, head int, state, scratch []float32) {
	K, V, n := m.KeyDim, m.ValueDim, o.Rows
	r, k, v, w := headOf(in.q, head, K), headOf(in.k, head, K), headOf(in.v, head, V), headOf(in.rate, head, K)
	a := scratch[:n*K]
	for i := range n {
		vec.Exp(a[i*K:(i+1)*K], w.Row(i))
	}
	vec.Scale(a, -1, a)
	vec.Exp(a, a)
	rec := linattn.Recurrence{
		O: o.Data, Q: r.Data, K: k.Data, V: v.Data, OStride: o.Stride, QStride: r.Stride, KStride: k.Stride, VStride: v.Stride,
		Decay: a, DecayStride: K, Axis: linattn.PerKey, ReadFirst: true,
		S: state, SStride: V, Tokens: n, KDim: K, VDim: V, Scale: 1,
	}
	linattn.Recur(&rec)
	for i := range n {
		row := o.Row(i)
		vec.Mul(a[:K], r.Row(i), m.Bonus[head*K:(head+1)*K])
		vec.Axpy(row, vec.Dot(a[:K], k.Row(i)), v.Row(i))
		layerNorm(row, row, m.Norm.Weight[head*V:(head+1)*V], m.Norm.Bias[head*V:(head+1)*V], m.Norm.Eps)
	}
}
