package nn

import (
	"github.com/mminfer/mminfer/kernels/conv"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// ChannelConv is the short convolution of a state-space model: a causal filter over time for each
// channel, a bias and a SiLU. Channels lie in blocks, each with its filters and history together,
// so that the work can be shared by blocks.
type ChannelConv struct {
	Channels, Taps int // taps are the tokens that a filter sees, the current one the last

	weights []float32 // block after block, [Taps, channels of the block]
	bias    []float32 // [Channels], nil for none
}

// convBlock is the channels of a block.
const convBlock = 128

// NewChannelConv takes filters [channels, taps], as checkpoints hold them, and biases, nil for none.
func NewChannelConv(w, bias []float32, taps int) *ChannelConv {
	c := &ChannelConv{Channels: len(w) / taps, Taps: taps, weights: make([]float32, len(w)), bias: bias}
	for from := 0; from < c.Channels; from += convBlock {
		width := min(convBlock, c.Channels-from)
		block := c.weights[from*taps:][:width*taps]
		for i := range width {
			for t := range taps {
				block[t*width+i] = w[(from+i)*taps+t]
			}
		}
	}
	return c
}

// floats is the length of the history, the last Taps-1 inputs.
func (c *ChannelConv) floats() int { return (c.Taps - 1) * c.Channels }

// apply computes dst = SiLU(conv(x) + bias), [T, Channels], and advances the histories, which
// begin at number at of each state. dst does not overlap x.
func (c *ChannelConv) apply(dst, x tensor.Mat, spans []Span, at int, ws *tensor.Workspace) {
	task := tensor.Local[convolving](ws)
	*task = convolving{c: c, dst: dst, x: x, spans: spans, at: at}
	n := len(spans) * task.blocks()
	task.units = units{n, grain(n, x.Rows*c.Channels)}
	ws.Pool.Run(task.parts(), task)
	*task = convolving{}
}

// convolving is the task of apply: a unit is a block of a sequence.
type convolving struct {
	units
	c      *ChannelConv
	dst, x tensor.Mat
	spans  []Span
	at     int
}

func (t *convolving) blocks() int { return (t.c.Channels + convBlock - 1) / convBlock }

// Do runs one part.
func (t *convolving) Do(part int) {
	lo, hi := t.part(part)
	for u := lo; u < hi; u++ {
		t.block(&t.spans[u/t.blocks()], u%t.blocks()*convBlock)
	}
}

// block convolves the block that begins at a channel over a span's tokens.
func (t *convolving) block(s *Span, from int) {
	c := t.c
	to := min(from+convBlock, c.Channels)
	dst, x := t.dst.Slice(s.From, s.To).Columns(from, to), t.x.Slice(s.From, s.To).Columns(from, to)
	hist := c.Taps - 1
	tail := s.State.Floats[t.at+hist*from : t.at+hist*to]
	var bias []float32
	if c.bias != nil {
		bias = c.bias[from:to]
	}
	conv.Causal(dst.Data, dst.Stride, x.Data, x.Stride, c.weights[from*c.Taps:to*c.Taps], bias, tail, x.Rows, x.Cols)
	for i := range dst.Rows {
		row := dst.Row(i)
		vec.SiLU(row, row)
	}
}

// units is work of n equal units, cut into parts of grain of them.
type units struct{ n, grain int }

// grain is how many of n units a thread takes at a time if all of them touch so many numbers.
func grain(n, numbers int) int { return max(1, floatsPerPart*n/max(numbers, 1)) }

// parts is the number of parts.
func (u *units) parts() int { return (u.n + u.grain - 1) / max(u.grain, 1) }

// part returns the units of a part, from lo to hi-1.
func (u *units) part(i int) (lo, hi int) { return i * u.grain, min((i+1)*u.grain, u.n) }
