package nn

import (
	"github.com/mminfer/mminfer/kernels/delta"
	"github.com/mminfer/mminfer/kernels/norm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// RWKV7 is the time mixing of RWKV-7: S ← (diag(w) - (κ·a)·κᵀ)·S + k·vᵀ, o = Sᵀr. The values of
// all layers but the first lean towards the first's, which the layers pass on in the workspace.
//
// Sources: Peng et al. 2025, arXiv:2503.14456, section 4; fla/layers/rwkv7.py in
// fla-org/flash-linear-attention 0.6.0.
type RWKV7 struct {
	plain
	Heads, Dim int          // of keys and of values
	First      bool         // layer 0, whose values the other layers see
	Mu         [6][]float32 // [D], of r, w, k, v, a, g

	Receptance, Key, Value, Out *Linear
	Decay, Rate, Gate           LowRank
	Lean                        LowRank   // towards the first layer's values; unused in it
	KeyScale, KeyRate           []float32 // k_k and k_a, [D]
	Bonus                       []float32 // r_k, [H·K]
	Norm                        Norm      // over the values of each head; Weight and Bias [D]
	L2Eps                       float32   // of the length of κ, inside the root
}

// decayScale is -e^-½, the log decay of a full gate.
const decayScale = -0.6065306597126334

func (m *RWKV7) shape() recurShape {
	n := m.Heads * m.Dim
	return recurShape{heads: m.Heads, q: n, k: n, v: n, rate: 2 * n, o: m.Dim, state: m.Dim * m.Dim, scratch: 4 * m.Dim}
}

// StateSpec asks for the last token's input [D] and S [H, K, V].
func (m *RWKV7) StateSpec() StateSpec {
	return StateSpec{Floats: len(m.Mu[0]) + m.Heads*m.Dim*m.Dim}
}

// lowRanks lists the projections of low rank.
func (m *RWKV7) lowRanks() []*LowRank {
	l := []*LowRank{&m.Decay, &m.Rate, &m.Gate}
	if !m.First {
		l = append(l, &m.Lean)
	}
	return l
}

// StepBytes counts the projections and the state.
func (m *RWKV7) StepBytes() int64 {
	n := 2*4*int64(m.StateSpec().Floats) + m.Receptance.W.Bytes() + m.Key.W.Bytes() + m.Value.W.Bytes() + m.Out.W.Bytes()
	for _, l := range m.lowRanks() {
		n += l.bytes()
	}
	return n
}

// StepMulAdds counts the projections.
func (m *RWKV7) StepMulAdds() int64 {
	n := m.Receptance.elements() + m.Key.elements() + m.Value.elements() + m.Out.elements()
	for _, l := range m.lowRanks() {
		n += l.elements()
	}
	return n
}

// Mix computes y from x, [T, D].
func (m *RWKV7) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	T, D := x.Rows, m.Out.W.Cols
	d := ws.Mat(T, x.Cols)
	shift(d, x, spans, ws)
	var u [6]tensor.Mat // inputs of r, w, k, v, a, g
	for i, mu := range m.Mu {
		u[i] = lerp(x, d, mu, ws)
	}
	work := rwkvBegin(ws)
	in := signals{rate: ws.Mat(T, 2*D)}
	decay, rate, gate, lean := in.rate.Columns(0, D), in.rate.Columns(D, 2*D), ws.Mat(T, D), ws.Mat(T, D)
	in.q, in.k, in.v = work.out(m.Receptance, u[0], ws), work.out(m.Key, u[2], ws), work.out(m.Value, u[3], ws)
	lowW, lowG := work.low(&m.Decay, u[1], decay, ws), work.low(&m.Gate, u[5], gate, ws)
	work.low(&m.Rate, u[4], rate, ws)
	if !m.First {
		work.low(&m.Lean, u[3], lean, ws)
	}
	tensor.MatMulAll(ws, work.first)
	activate(lowW, m.Decay.Act, ws)
	activate(lowG, m.Gate.Act, ws)
	tensor.MatMulAll(ws, work.second)
	addBias(decay, m.Decay.Bias, ws)
	addBias(rate, m.Rate.Bias, ws)
	m.lean(in.v, lean, d, ws)

	o := ws.Mat(T, D)
	work.recur(m, o, in, x.Cols, spans, ws)
	rowwise(ws, rows{op: opGate, dst: o, a: o, b: gate, act: Identity})
	m.Out.Mul(y, o, ws)
	ws.Release(mark)
}

// firstValues are the values of layer 0 for the tokens of a pass, which the layers after it see.
type firstValues struct{ v tensor.Mat }

// lean moves the values towards the first layer's, or keeps the first layer's; scratch is
// overwritten.
func (m *RWKV7) lean(v, by, scratch tensor.Mat, ws *tensor.Workspace) {
	first := tensor.Local[firstValues](ws)
	if m.First {
		if cap(first.v.Data) < v.Rows*v.Cols {
			first.v.Data = make([]float32, v.Rows*v.Cols)
		}
		first.v = tensor.Mat{Rows: v.Rows, Cols: v.Cols, Stride: v.Cols, Data: first.v.Data[:v.Rows*v.Cols]}
		for i := range v.Rows {
			copy(first.v.Row(i), v.Row(i))
		}
		return
	}
	addBias(by, m.Lean.Bias, ws)
	rowwise(ws, rows{op: opSub, dst: scratch, a: first.v, b: v})
	rowwise(ws, rows{op: opGate, dst: scratch, a: scratch, b: by, act: Sigmoid})
	add(v, scratch, ws)
}

func (m *RWKV7) advance(o tensor.Mat, in signals, head int, state, scratch []float32) {
	K, n := m.Dim, o.Rows
	r, v := headOf(in.q, head, K), headOf(in.v, head, K)
	w, key, kappa, write := scratch[:n*K], scratch[n*K:2*n*K], scratch[2*n*K:3*n*K], scratch[3*n*K:4*n*K]
	m.keys(in, head, w, key, kappa, write)
	rec := delta.Diagonal{
		Gated: delta.Gated{
			O: o.Data, Q: r.Data, K: key, V: v.Data, OStride: o.Stride, QStride: r.Stride, KStride: K, VStride: v.Stride,
			Decay: w, DecayStride: K, S: state, SStride: K, Tokens: n, KDim: K, VDim: K, Scale: 1,
		},
		P: kappa, PStride: K, W: write, WStride: K,
	}
	delta.LowRankRule(&rec)
	weight, bias, bonus := m.Norm.Weight[head*K:(head+1)*K], m.Norm.Bias[head*K:(head+1)*K], m.Bonus[head*K:(head+1)*K]
	for i := range n {
		row := o.Row(i)
		layerNorm(row, row, weight, bias, m.Norm.Eps)
		vec.Mul(w[:K], r.Row(i), bonus)
		vec.Axpy(row, vec.Dot(w[:K], key[i*K:(i+1)*K]), v.Row(i))
	}
}

// keys computes one head's decays w, keys k, directions κ and κ·a.
func (m *RWKV7) keys(in signals, head int, w, key, kappa, write []float32) {
	K := m.Dim
	decay, rate, k := headOf(in.rate, head, K), headOf(in.rate, m.Heads+head, K), headOf(in.k, head, K)
	scale, by := m.KeyScale[head*K:(head+1)*K], m.KeyRate[head*K:(head+1)*K]
	for i := range k.Rows {
		copy(w[i*K:], decay.Row(i))
		copy(write[i*K:], rate.Row(i))
		vec.Mul(kappa[i*K:(i+1)*K], k.Row(i), scale)
	}
	vec.Sigmoid(w, w)
	vec.Scale(w, decayScale, w)
	vec.Exp(w, w)
	vec.Sigmoid(write, write)
	norm.L2(kappa, kappa, K, m.L2Eps)
	vec.Shift(key, write, -1)
	for i := range k.Rows {
		row := key[i*K : (i+1)*K]
		vec.Mul(row, row, by)
		vec.Shift(row, row, 1)
		vec.Mul(row, row, k.Row(i))
	}
	vec.Mul(write, write, kappa)
}
