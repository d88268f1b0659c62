//go:build !purego

package conv

import (
	"unsafe"

	"github.com/mminfer/mminfer/kernels"
)

var useCausalNEON = true

func init() { kernels.Register("conv.Causal", "NEON", &useCausalNEON) }

// tapsArgs are the operands of taps in the form the assembly reads; strides are in bytes.
type tapsArgs struct {
	dst, init, w, u  *float32 // init may be nil
	channels, taps   int      // both at least 1
	wStride, uStride int
}

//go:noescape
func tapsNEON(a *tapsArgs)

func taps(dst, init, w, u []float32, wStride, uStride, n int) {
	if !useCausalNEON {
		tapsGeneric(dst, init, w, u, wStride, uStride, n)
		return
	}
	a := tapsArgs{
		dst: unsafe.SliceData(dst), init: unsafe.SliceData(init), w: unsafe.SliceData(w), u: unsafe.SliceData(u),
		channels: len(dst), taps: n, wStride: 4 * wStride, uStride: 4 * uStride,
	}
	tapsNEON(&a)
}

// stripsArgs are the operands of strips; strides are in bytes, stride is that of w and tail.
type stripsArgs struct {
	dst, x, w, bias, tail      *float32 // bias may be nil
	strips, tokens             int      // both at least 1
	dstStride, xStride, stride int
}

//go:noescape
func stripsNEON(a *stripsArgs)

// stripTokens bounds the tokens of a call: each lies on pages of its own.
const stripTokens = 32

// strips convolves four taps over the channels that come in whole sixteens, the history in
// registers, and returns how many channels those are. The portable code has no such part: this
// is the same sum as taps, which reads every input four times.
func (c *causal) strips() int {
	if c.channels < 16 || !useCausalNEON {
		return 0
	}
	a := stripsArgs{
		w: unsafe.SliceData(c.w), bias: unsafe.SliceData(c.bias), tail: unsafe.SliceData(c.tail), strips: c.channels / 16,
		dstStride: 4 * c.dstStride, xStride: 4 * c.xStride, stride: 4 * c.channels,
	}
	for t := 0; t < c.tokens; t += stripTokens {
		a.dst, a.x, a.tokens = &c.dst[t*c.dstStride], &c.x[t*c.xStride], min(stripTokens, c.tokens-t)
		stripsNEON(&a)
	}
	return c.channels &^ 15
}
