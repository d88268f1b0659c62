package nn

import "github.com/mminfer/mminfer/tensor"

// MLP is the network y = Down(act(Up x)) without a gate.
type MLP struct {
	Act  Activation
	Up   *Linear // [I, D]
	Down *Linear // [D, I]
}

// StateSpec says that an MLP keeps nothing.
func (*MLP) StateSpec() StateSpec { return StateSpec{} }

// Mix computes y from x, [T, D].
func (m *MLP) Mix(y, x tensor.Mat, _ []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	h := m.Up.Out(x, ws)
	rowwise(ws, rows{op: opActivate, dst: h, act: m.Act})
	m.Down.Mul(y, h, ws)
	ws.Release(mark)
}

// StepBytes counts both projections.
func (m *MLP) StepBytes() int64 { return m.Up.W.Bytes() + m.Down.W.Bytes() }

// StepMulAdds counts both projections.
func (m *MLP) StepMulAdds() int64 { return m.Up.elements() + m.Down.elements() }

func (m *MLP) projections() (in, out *Linear) { return m.Up, m.Down }

func (m *MLP) activate(h []float32) []float32 {
	m.Act.Apply(h)
	return h
}
