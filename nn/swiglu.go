package nn

import (
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// SwiGLU is the gated MLP y = Down(SiLU(GateScale · gate x) · up x).
//
// Source: Shazeer 2020, arXiv:2002.05202, section 2.
type SwiGLU struct {
	GateUp      *Linear  // [2·I, D]: rows of the gate, then of up
	Adapter     *Adapter // of GateUp
	GateScale   float32  // 0 for 1
	Down        *Linear  // [D, I]
	DownAdapter *Adapter // of Down
}

// StateSpec says that an MLP keeps nothing.
func (*SwiGLU) StateSpec() StateSpec { return StateSpec{} }

// Mix computes y from x, [T, D].
func (m *SwiGLU) Mix(y, x tensor.Mat, _ []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	h := m.GateUp.Out(x, ws)
	m.Adapter.add(h, x, ws)
	gate, up := h.Columns(0, h.Cols/2), h.Columns(h.Cols/2, h.Cols)
	if m.GateScale != 0 {
		Scale(gate, m.GateScale, gate, ws)
	}
	siluMul(gate, gate, up, ws)
	m.Down.Mul(y, gate, ws)
	m.DownAdapter.add(y, gate, ws)
	ws.Release(mark)
}

// StepBytes counts both projections.
func (m *SwiGLU) StepBytes() int64 {
	n := m.GateUp.bytes() + m.Down.bytes()
	m.Adapter.each(func(l *Linear) { n += l.bytes() })
	m.DownAdapter.each(func(l *Linear) { n += l.bytes() })
	return n
}

// StepMulAdds counts both projections.
func (m *SwiGLU) StepMulAdds() int64 {
	n := m.GateUp.elements() + m.Down.elements()
	m.Adapter.each(func(l *Linear) { n += l.elements() })
	m.DownAdapter.each(func(l *Linear) { n += l.elements() })
	return n
}

func (m *SwiGLU) projections() (in, out *Linear) { return m.GateUp, m.Down }

func (m *SwiGLU) activate(h []float32) []float32 {
	n := len(h) / 2
	if m.GateScale != 0 {
		vec.Scale(h[:n], m.GateScale, h[:n])
	}
	vec.SiLUMul(h[:n], h[:n], h[n:])
	return h[:n]
}
