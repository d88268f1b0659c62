package nn

import "github.com/mminfer/mminfer/tensor"

// shift writes the difference of each token's predecessor and the token, d = x[t-1] - x[t], for
// every span, whose state begins with the last token that it saw, [D].
func shift(d, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	for _, s := range spans {
		if s.From == s.To {
			continue
		}
		last := s.State.Floats[:x.Cols]
		rowwise(ws, rows{op: opSub, dst: d.Slice(s.From, s.From+1), a: row(last), b: x.Slice(s.From, s.From+1)})
		rowwise(ws, rows{op: opSub, dst: d.Slice(s.From+1, s.To), a: x.Slice(s.From, s.To-1), b: x.Slice(s.From+1, s.To)})
		copy(last, x.Row(s.To-1))
	}
}

// lerp returns x + d·mu in a matrix of the workspace.
func lerp(x, d tensor.Mat, mu []float32, ws *tensor.Workspace) tensor.Mat {
	y := ws.Mat(x.Rows, x.Cols)
	rowwise(ws, rows{op: opLerp, dst: y, a: x, b: d, weight: mu})
	return y
}

// activate computes x = f(x).
func activate(x tensor.Mat, f Activation, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opActivate, dst: x, act: f})
}

// ChannelMix is the MLP of RWKV, which sees its input mixed with the token before:
// y = Value(relu(Key(x + d·MuK))²), times σ(Receptance(x + d·MuR)) if there is one.
//
// Sources: Peng et al. 2024, arXiv:2404.05892, section 3.3; Peng et al. 2025, arXiv:2503.14456,
// section 4.3.
type ChannelMix struct {
	MuK, MuR               []float32 // [D]
	Key, Receptance, Value *Linear   // [I, D], [D, D] or nil, [D, I]
}

// StateSpec asks for the last token's input.
func (m *ChannelMix) StateSpec() StateSpec { return StateSpec{Floats: len(m.MuK)} }

// StepBytes counts the projections and the state.
func (m *ChannelMix) StepBytes() int64 {
	n := m.Key.W.Bytes() + m.Value.W.Bytes() + 2*4*int64(m.Key.W.Cols)
	if m.Receptance != nil {
		n += m.Receptance.W.Bytes()
	}
	return n
}

// StepMulAdds counts the projections.
func (m *ChannelMix) StepMulAdds() int64 {
	n := m.Key.elements() + m.Value.elements()
	if m.Receptance != nil {
		n += m.Receptance.elements()
	}
	return n
}

// Mix computes y from x, [T, D].
func (m *ChannelMix) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	d := ws.Mat(x.Rows, x.Cols)
	shift(d, x, spans, ws)
	h := m.Key.Out(lerp(x, d, m.MuK, ws), ws)
	activate(h, SquaredReLU, ws)
	m.Value.Mul(y, h, ws)
	if m.Receptance != nil {
		rowwise(ws, rows{op: opGate, dst: y, a: y, b: m.Receptance.Out(lerp(x, d, m.MuR, ws), ws), act: Sigmoid})
	}
	ws.Release(mark)
}

// LowRank is a projection of low rank, y = High(f(Low x)) + Bias.
type LowRank struct {
	Low, High *Linear
	Act       Activation
	Bias      []float32 // nil for none
}

func (l *LowRank) bytes() int64 { return l.Low.W.Bytes() + l.High.W.Bytes() }

func (l *LowRank) elements() int64 { return l.Low.elements() + l.High.elements() }

// rwkvWork is what a Mix of RWKV keeps from call to call.
type rwkvWork struct {
	first, second []tensor.Product
	recurring     recurring
}

// begin returns the work with empty lists.
func rwkvBegin(ws *tensor.Workspace) *rwkvWork {
	w := tensor.Local[rwkvWork](ws)
	w.first, w.second = w.first[:0], w.second[:0]
	return w
}

// out adds a product x·Wᵀ and returns the matrix it will fill.
func (w *rwkvWork) out(l *Linear, x tensor.Mat, ws *tensor.Workspace) tensor.Mat {
	y := ws.Mat(x.Rows, l.W.Rows)
	w.first = append(w.first, tensor.Product{Dst: y, X: x, W: l.W})
	return y
}

// low adds the two products of a projection of low rank and returns its first and second results.
func (w *rwkvWork) low(l *LowRank, x tensor.Mat, y tensor.Mat, ws *tensor.Workspace) tensor.Mat {
	h := w.out(l.Low, x, ws)
	w.second = append(w.second, tensor.Product{Dst: y, X: h, W: l.High.W})
	return h
}

// recur runs the heads of a recurrence whose state follows the [D] of the token shift.
func (w *rwkvWork) recur(r Recurrence, o tensor.Mat, in signals, d int, spans []Span, ws *tensor.Workspace) {
	w.recurring.begin(r)
	for _, p := range spans {
		w.recurring.add(o.Slice(p.From, p.To), in.slice(p.From, p.To), p.State.Floats[d:])
	}
	w.recurring.run(ws)
}
