package nn

import (
	"github.com/mminfer/mminfer/kernels/conv"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// GatedConv is the short convolution of LFM2 between two gates: with [B, C, u] = In(x),
// y = Out(C · conv(B · u)), a causal filter over time for each channel.
//
// Source: Lfm2ShortConv in huggingface/transformers, models/lfm2/modeling_lfm2.py.
type GatedConv struct {
	Channels int     // D
	In       *Linear // [3·D, D]
	Out      *Linear // [D, D]
	Taps     int

	weights []float32 // block after block of channels, [Taps, channels of the block]
	bias    []float32 // [D], nil for none
}

// gatedBlock is the channels of a block, whose filters and history lie together.
const gatedBlock = 256

// SetFilters takes the filters [D, Taps], as checkpoints hold them, and biases, nil for none.
func (m *GatedConv) SetFilters(w, bias []float32) {
	channels := len(w) / m.Taps
	m.weights, m.bias = make([]float32, len(w)), bias
	for from := 0; from < channels; from += gatedBlock {
		width := min(gatedBlock, channels-from)
		for i := range width {
			for t := range m.Taps {
				m.weights[from*m.Taps+t*width+i] = w[(from+i)*m.Taps+t]
			}
		}
	}
}

// StateSpec asks for the last Taps-1 inputs of the convolution, block by block.
func (m *GatedConv) StateSpec() StateSpec { return StateSpec{Floats: (m.Taps - 1) * m.Channels} }

// StepBytes counts the projections and the state.
func (m *GatedConv) StepBytes() int64 {
	return m.In.W.Bytes() + m.Out.W.Bytes() + 2*4*int64(m.StateSpec().Floats)
}

// StepMulAdds counts the projections.
func (m *GatedConv) StepMulAdds() int64 { return m.In.elements() + m.Out.elements() }

// Mix computes y from x, [T, D].
func (m *GatedConv) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	d := x.Cols
	h, o := m.In.Out(x, ws), ws.Mat(x.Rows, d)
	task := tensor.Local[gatedConvolving](ws)
	*task = gatedConvolving{m, h.Columns(0, d), h.Columns(d, 2*d), h.Columns(2*d, 3*d), o, spans}
	ws.Pool.Run(len(spans)*task.blocks(), task)
	*task = gatedConvolving{}
	m.Out.Mul(y, o, ws)
	ws.Release(mark)
}

// gatedConvolving is the task of a Mix: a part is a block of channels of a sequence.
type gatedConvolving struct {
	m          *GatedConv
	b, c, u, o tensor.Mat // [T, D]
	spans      []Span
}

func (t *gatedConvolving) blocks() int { return (t.o.Cols + gatedBlock - 1) / gatedBlock }

// Do runs one part.
func (t *gatedConvolving) Do(part int) {
	s, m := &t.spans[part/t.blocks()], t.m
	from := part % t.blocks() * gatedBlock
	to := min(from+gatedBlock, t.o.Cols)
	if s.From == s.To {
		return
	}
	view := func(x tensor.Mat) tensor.Mat { return x.Slice(s.From, s.To).Columns(from, to) }
	b, c, u, o := view(t.b), view(t.c), view(t.u), view(t.o)
	for i := range u.Rows {
		vec.Mul(u.Row(i), b.Row(i), u.Row(i))
	}
	var bias []float32
	if m.bias != nil {
		bias = m.bias[from:to]
	}
	hist := m.Taps - 1
	conv.Causal(o.Data, o.Stride, u.Data, u.Stride, m.weights[from*m.Taps:to*m.Taps], bias, s.State.Floats[hist*from:hist*to], u.Rows, u.Cols)
	for i := range o.Rows {
		vec.Mul(o.Row(i), c.Row(i), o.Row(i))
	}
}
