package nn

import (
	"github.com/mminfer/mminfer/kernels/route"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// Expert is an MLP of two projections without biases, the activation of each row between them.
type Expert interface {
	Mixer
	projections() (in, out *Linear)
	// activate turns a row of the first projection into the input of the second, in its place.
	activate(h []float32) []float32
}

// Routing says how a router's logits choose experts and weigh them.
type Routing struct {
	TopK int
	// Sigmoid scores every expert by itself; nil for a softmax over all.
	Sigmoid *route.Sigmoid
	// Chosen takes the softmax over the chosen experts alone: their weights sum to 1.
	Chosen bool
	Factor float32 // of the weights, 0 for 1
}

// SigmoidRouting are the rules of a router without a softmax: see [route.Sigmoid].
type SigmoidRouting = route.Sigmoid

// MoE is a mixture of experts: a router sends every token to TopK of them and adds up their
// outputs by its weights. The tokens of one expert go through one product; a token's output does
// not depend on the others.
//
// Source: Shazeer et al. 2017, arXiv:1701.06538, section 2, without noise.
type MoE struct {
	Router *Linear // [E, D]
	Routing
	Experts []Expert // [E], all of the same sizes

	Shared     Expert  // sees every token, unweighted; nil for none
	SharedGate *Linear // [1, D]: the shared output is multiplied by its sigmoid; nil for none
}

// StateSpec says that experts keep nothing.
func (*MoE) StateSpec() StateSpec { return StateSpec{} }

// StepBytes counts the router, the experts that a token visits and the shared one.
func (m *MoE) StepBytes() int64 {
	n := m.Router.W.Bytes() + int64(m.TopK)*m.Experts[0].StepBytes()
	if m.Shared != nil {
		n += m.Shared.StepBytes()
	}
	if m.SharedGate != nil {
		n += m.SharedGate.W.Bytes()
	}
	return n
}

// StepMulAdds counts the router, the experts that a token visits and the shared one.
func (m *MoE) StepMulAdds() int64 {
	n := m.Router.elements() + int64(m.TopK)*m.Experts[0].StepMulAdds()
	if m.Shared != nil {
		n += m.Shared.StepMulAdds()
	}
	if m.SharedGate != nil {
		n += m.SharedGate.elements()
	}
	return n
}

// Mix computes y from x, [T, D].
func (m *MoE) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	t := tensor.Local[routing](ws)
	t.m, t.y = m, y
	t.choose(x, ws)
	t.experts(x, ws)
	if m.Shared != nil {
		t.shared = ws.Mat(x.Rows, x.Cols)
		m.Shared.Mix(t.shared, x, spans, ws)
		if m.SharedGate != nil {
			t.gate = m.SharedGate.Out(x, ws)
		}
	}
	t.sum = true
	ws.Pool.Run((x.Rows+moeRows-1)/moeRows, t)
	clear(t.products)
	*t = routing{products: t.products[:0]}
	ws.Release(mark)
}

// moeRows is the rows of a part of the row operations.
const moeRows = 8

// routing is the work of one Mix: the task of its row operations.
type routing struct {
	m      *MoE
	y      tensor.Mat
	index  []int32    // the experts of every token, [T, TopK]
	weight []float32  // their weights
	place  []int32    // the row of hidden and outs that holds each of them, [T, TopK]
	hidden tensor.Mat // [T·TopK, rows of the first projection], expert by expert
	outs   tensor.Mat // [T·TopK, D]
	shared tensor.Mat // [T, D]
	gate   tensor.Mat // [T, 1]
	sum    bool       // the outputs are added up; else hidden is activated

	products []tensor.Product
}

// choose routes every token.
func (t *routing) choose(x tensor.Mat, ws *tensor.Workspace) {
	m, n := t.m, x.Rows*t.m.TopK
	t.index, t.weight, t.place = ws.Ints(n), ws.Floats(n), ws.Ints(n)
	mark := ws.Mark()
	logits := m.Router.Out(x, ws)
	switch e := logits.Cols; {
	case m.Sigmoid != nil:
		m.Sigmoid.TopK(t.index, t.weight, logits.Data, ws.Floats(e), x.Rows, e, logits.Stride, m.TopK)
	case m.Chosen:
		route.TopK(t.index, t.weight, logits.Data, x.Rows, e, logits.Stride, m.TopK)
	default:
		route.Softmax(t.index, t.weight, logits.Data, x.Rows, e, logits.Stride, m.TopK)
	}
	if m.Factor != 0 {
		vec.Scale(t.weight, m.Factor, t.weight)
	}
	ws.Release(mark)
}

// experts computes outs: the tokens of one expert are gathered for one product.
func (t *routing) experts(x tensor.Mat, ws *tensor.Workspace) {
	m, k := t.m, t.m.TopK
	in, out := m.Experts[0].projections()
	t.hidden, t.outs = ws.Mat(x.Rows*k, in.W.Rows), ws.Mat(x.Rows*k, out.W.Rows)
	start := ws.Ints(len(m.Experts) + 1) // the first row of every expert
	clear(start)
	for _, e := range t.index {
		start[e+1]++
	}
	for e := range m.Experts {
		start[e+1] += start[e]
	}
	tokens, next := ws.Ints(len(t.index)), ws.Ints(len(m.Experts))
	copy(next, start)
	for i, e := range t.index {
		t.place[i] = next[e]
		tokens[next[e]] = int32(i / k)
		next[e]++
	}
	t.products = t.products[:0]
	for e, expert := range m.Experts {
		if from, to := int(start[e]), int(start[e+1]); from < to {
			in, _ := expert.projections()
			input := x // an expert that sees all tokens needs no copy of them
			if to-from < x.Rows {
				input = gather(x, tokens[from:to], ws)
			}
			t.products = append(t.products, tensor.Product{Dst: t.hidden.Slice(from, to), X: input, W: in.W})
		}
	}
	tensor.MatMulAll(ws, t.products)
	t.sum = false
	ws.Pool.Run((t.hidden.Rows+moeRows-1)/moeRows, t)
	t.products = t.products[:0]
	for e, expert := range m.Experts {
		if from, to := int(start[e]), int(start[e+1]); from < to {
			_, out := expert.projections()
			t.products = append(t.products, tensor.Product{Dst: t.outs.Slice(from, to), X: t.hidden.Slice(from, to).Columns(0, out.W.Cols), W: out.W})
		}
	}
	tensor.MatMulAll(ws, t.products)
}

// Do activates some rows of hidden, or adds up some tokens' outputs, the chosen in the order of
// their choice and the shared one last.
func (t *routing) Do(part int) {
	if !t.sum {
		for i := part * moeRows; i < min((part+1)*moeRows, t.hidden.Rows); i++ {
			t.m.Experts[0].activate(t.hidden.Row(i))
		}
		return
	}
	k := t.m.TopK
	for i := part * moeRows; i < min((part+1)*moeRows, t.y.Rows); i++ {
		y := t.y.Row(i)
		for j := i * k; j < (i+1)*k; j++ {
			if out := t.outs.Row(int(t.place[j])); j == i*k {
				vec.Scale(y, t.weight[j], out)
			} else {
				vec.Axpy(y, t.weight[j], out)
			}
		}
		switch {
		case t.m.Shared == nil:
		case t.m.SharedGate != nil:
			g := t.gate.Row(i)
			vec.Sigmoid(g, g)
			vec.Axpy(y, g[0], t.shared.Row(i))
		default:
			vec.Add(y, y, t.shared.Row(i))
		}
	}
}
