// Package conv holds the short convolution over time of recurrent mixers, and the inputs of convolutions
// over two dimensions.
package conv

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels"
)

// Causal convolves one sequence with its own filter in every channel and advances the history.
//
//	y[t,c] = bias[c] + Σⱼ w[j,c] · u[t-W+1+j, c],  j = 0..W-1
//
// where u is tail followed by x; the products are fused into the sum in the order of j, so a
// sequence fed in pieces gives the bits of the whole.
//
// Shapes: dst, x [tokens, channels], rows dstStride and xStride elements apart; w [W, channels],
// w[W-1] on the current token; bias [channels] or nil for zeros; tail [W-1, channels], the inputs
// before the first row, oldest first, replaced by the last W-1 inputs. dst, x and tail do not
// overlap. It panics if the sizes disagree.
//
// Source: causal_conv1d_ref and causal_conv1d_update_ref without the activation, in
// Dao-AILab/causal-conv1d, causal_conv1d/causal_conv1d_interface.py.
func Causal(dst []float32, dstStride int, x []float32, xStride int, w, bias, tail []float32, tokens, channels int) {
	c := causal{dst, x, dstStride, xStride, w, bias, tail, tokens, channels}
	c.check()
	from := 0
	if len(w) == 4*channels {
		from = c.strips()
	}
	if from < channels {
		c.columns(from)
	}
}

// causal holds the operands of one call of [Causal].
type causal struct {
	dst, x             []float32
	dstStride, xStride int
	w, bias, tail      []float32
	tokens, channels   int
}

func (c *causal) check() {
	switch {
	case c.tokens < 0 || c.channels < 0 || c.dstStride < c.channels || c.xStride < c.channels:
		panic(fmt.Sprintf("conv.Causal: tokens=%d, channels=%d, strides %d and %d", c.tokens, c.channels, c.dstStride, c.xStride))
	case len(c.w) != len(c.tail)+c.channels || c.channels > 0 && len(c.w)%c.channels != 0:
		panic(fmt.Sprintf("conv.Causal: len(w)=%d, len(tail)=%d, want W and W-1 rows of %d", len(c.w), len(c.tail), c.channels))
	case c.bias != nil && len(c.bias) != c.channels:
		panic(fmt.Sprintf("conv.Causal: len(bias)=%d, want %d", len(c.bias), c.channels))
	}
	if last := c.tokens - 1; last >= 0 && (len(c.dst) < last*c.dstStride+c.channels || len(c.x) < last*c.xStride+c.channels) {
		panic(fmt.Sprintf("conv.Causal: len(dst)=%d, len(x)=%d, too short for %d tokens", len(c.dst), len(c.x), c.tokens))
	}
}

// columns convolves the channels from one on, row by row.
func (c *causal) columns(from int) {
	history := len(c.tail) / c.channels
	w, bias := c.w[from:], c.bias
	if bias != nil {
		bias = bias[from:]
	}
	for t := range c.tokens {
		y := c.dst[t*c.dstStride:][from:c.channels]
		if old := history - t; old > 0 { // taps that lie in the tail
			taps(y, bias, w, c.tail[t*c.channels+from:], c.channels, c.channels, old)
			taps(y, y, w[old*c.channels:], c.x[from:], c.channels, c.xStride, t+1)
		} else {
			taps(y, bias, w, c.x[-old*c.xStride+from:], c.channels, c.xStride, history+1)
		}
	}
	for i := range history {
		row := c.tail[i*c.channels:][from:c.channels]
		if t := c.tokens + i; t < history {
			copy(row, c.tail[t*c.channels+from:])
		} else {
			copy(row, c.x[(t-history)*c.xStride+from:])
		}
	}
}

// tapsGeneric computes dst[c] = init[c] + Σⱼ w[j·wStride+c]·u[j·uStride+c] over n taps. init is nil
// for zeros and may be dst.
func tapsGeneric(dst, init, w, u []float32, wStride, uStride, n int) {
	for c := range dst {
		var sum float32
		if init != nil {
			sum = init[c]
		}
		for j := range n {
			sum = kernels.FMA(w[j*wStride+c], u[j*uStride+c], sum)
		}
		dst[c] = sum
	}
}
