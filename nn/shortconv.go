package nn

import (
	"github.com/mminfer/mminfer/kernels/conv"
	"github.com/mminfer/mminfer/tensor"
)

// ShortConv is a causal convolution over time, a filter for each channel. A nil *ShortConv is none.
type ShortConv struct {
	Taps    int
	Weights []float32 // [H, Taps, width of a head]
	Width   int       // of a head
}

// NewShortConv orders filters as checkpoints hold them, [channels, taps], for heads of the given
// width; the last head may be narrower.
func NewShortConv(w []float32, width, taps int) *ShortConv {
	c := &ShortConv{Taps: taps, Weights: make([]float32, len(w)), Width: width}
	for from := 0; from < len(w); from += width * taps {
		head := w[from:min(from+width*taps, len(w))]
		for i, v := range head {
			c.Weights[from+i%taps*(len(head)/taps)+i/taps] = v
		}
	}
	return c
}

// tail is the state of one head: its last Taps-1 inputs.
func (c *ShortConv) tail(width int) int {
	if c == nil {
		return 0
	}
	return (c.Taps - 1) * width
}

// run convolves the rows of one head into contiguous rows, or copies them if there is no
// convolution, and returns what follows its tail in the state.
func (c *ShortConv) run(dst []float32, x tensor.Mat, head int, tail []float32) (rest []float32) {
	if c == nil {
		for i := range x.Rows {
			copy(dst[i*x.Cols:], x.Row(i))
		}
		return tail
	}
	n, at := c.tail(x.Cols), head*c.Taps*c.Width
	conv.Causal(dst, x.Cols, x.Data, x.Stride, c.Weights[at:at+c.Taps*x.Cols], nil, tail[:n], x.Rows, x.Cols)
	return tail[n:]
}
