package nn

import "github.com/mminfer/mminfer/tensor"

// Recurrent is a mixer that is one recurrence: projections of the input, the recurrence head by
// head, a norm and a gate, and the output projection.
type Recurrent struct {
	Rec   Recurrence
	In    *Linear // queries, keys and values, and the output gate if there is one that has no low rank
	Rates Rates
	Gate  Rates // a gate of low rank
	Output
}

// Rates projects a token to decays and writing strengths, or to a gate, in the checkpoint's
// precision: Low and High are a product of two matrices, whose columns come first.
type Rates struct {
	Low, High *Linear   // nil for none
	Direct    *Linear   // nil for none
	Bias      []float32 // of all columns, nil for none
}

// cols is the number of columns.
func (r *Rates) cols() (n int) {
	if r.High != nil {
		n += r.High.W.Rows
	}
	if r.Direct != nil {
		n += r.Direct.W.Rows
	}
	return n
}

// each calls f for every matrix.
func (r *Rates) each(f func(l *Linear)) {
	for _, l := range [...]*Linear{r.Low, r.High, r.Direct} {
		if l != nil {
			f(l)
		}
	}
}

// project starts the products of x, [n, D], whose first stage it appends to first and whose
// second to second, and returns the matrix they fill, without the bias.
func (r *Rates) project(x tensor.Mat, first, second *[]tensor.Product, ws *tensor.Workspace) tensor.Mat {
	dst := ws.Mat(x.Rows, r.cols())
	if r.High != nil {
		low := ws.Mat(x.Rows, r.Low.W.Rows)
		*first = append(*first, tensor.Product{Dst: low, X: x, W: r.Low.W})
		*second = append(*second, tensor.Product{Dst: dst.Columns(0, r.High.W.Rows), X: low, W: r.High.W})
	}
	if r.Direct != nil {
		*first = append(*first, tensor.Product{Dst: dst.Columns(dst.Cols-r.Direct.W.Rows, dst.Cols), X: x, W: r.Direct.W})
	}
	return dst
}

// addBias adds the bias to what project's products have filled.
func (r *Rates) addBias(x tensor.Mat, ws *tensor.Workspace) {
	if r.Bias != nil {
		rowwise(ws, rows{op: opBias, dst: x, a: x, weight: r.Bias})
	}
}

// Output turns what a recurrence gives into what the mixer gives:
// y = Proj(Norm(Before(o)) · After(gate)).
type Output struct {
	Before Activation
	Norm   Norm
	After  Activation // of the gate; Identity for no gate
	Proj   *Linear    // [D, H·O]
}

// finish computes y from o and the gate, [T, H·O], both of which it overwrites.
func (f *Output) finish(y, o, gate tensor.Mat, ws *tensor.Workspace) {
	if f.Before != Identity {
		rowwise(ws, rows{op: opActivate, dst: o, act: f.Before})
	}
	f.Norm.Apply(o, o, ws)
	if f.After != Identity {
		rowwise(ws, rows{op: opGate, dst: o, a: o, b: gate, act: f.After})
	}
	f.Proj.Mul(y, o, ws)
}

// StateSpec asks for the state of every head.
func (m *Recurrent) StateSpec() StateSpec {
	s := m.Rec.shape()
	return StateSpec{Floats: s.heads * s.state}
}

// linears calls f for every matrix.
func (m *Recurrent) linears(f func(l *Linear)) {
	f(m.In)
	m.Rates.each(f)
	m.Gate.each(f)
	f(m.Proj)
}

// StepBytes counts the projections and the state.
func (m *Recurrent) StepBytes() int64 {
	n, _ := m.Rec.extra()
	m.linears(func(l *Linear) { n += l.W.Bytes() })
	return n + 2*4*int64(m.StateSpec().Floats)
}

// StepMulAdds counts the projections.
func (m *Recurrent) StepMulAdds() int64 {
	_, n := m.Rec.extra()
	m.linears(func(l *Linear) { n += l.elements() })
	return n
}

// recurrentWork is what a Mix keeps from call to call.
type recurrentWork struct {
	first, second []tensor.Product
	recurring     recurring
}

// Mix computes y from x, [T, D].
func (m *Recurrent) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	work, s := tensor.Local[recurrentWork](ws), m.Rec.shape()
	h := ws.Mat(x.Rows, m.In.W.Rows)
	work.first, work.second = append(work.first[:0], tensor.Product{Dst: h, X: x, W: m.In.W}), work.second[:0]
	rate := m.Rates.project(x, &work.first, &work.second, ws)
	gate := h.Columns(s.q+s.k+s.v, h.Cols)
	if m.Gate.High != nil {
		gate = m.Gate.project(x, &work.first, &work.second, ws)
	}
	tensor.MatMulAll(ws, work.first)
	tensor.MatMulAll(ws, work.second)
	m.Rates.addBias(rate, ws)
	m.Gate.addBias(gate, ws)
	in := m.Rec.prepare(signals{h.Columns(0, s.q), h.Columns(s.q, s.q+s.k), h.Columns(s.q+s.k, s.q+s.k+s.v), rate}, spans, ws)
	o := ws.Mat(x.Rows, m.Proj.W.Cols)
	work.recurring.begin(m.Rec)
	for _, p := range spans {
		work.recurring.add(o.Slice(p.From, p.To), in.slice(p.From, p.To), p.State.Floats)
	}
	work.recurring.run(ws)
	m.finish(y, o, gate, ws)
	ws.Release(mark)
}
