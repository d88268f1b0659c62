//go:build !purego

package norm

import (
	"unsafe"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useMomentsNEON = true
	useAffineNEON  = true
)

func init() {
	kernels.Register("norm.Moments", "NEON", &useMomentsNEON)
	kernels.Register("norm.Affine", "NEON", &useAffineNEON)
}

// lanes is how many columns the assembly takes together; the portable code does the rest.
const lanes = 16

// momentsArgs are the operands of [Moments] in the form the assembly reads; stride is in bytes.
type momentsArgs struct {
	sum, square, x *float32
	stride         int
	rows, columns  int // at least 1; columns are a multiple of 16
}

//go:noescape
func momentsNEON(a *momentsArgs)

func moments(sum, square, x []float32, stride, rows int) {
	n := len(sum) &^ (lanes - 1)
	if !useMomentsNEON || n == 0 {
		n = 0
	} else {
		a := momentsArgs{unsafe.SliceData(sum), unsafe.SliceData(square), unsafe.SliceData(x), 4 * stride, rows, n}
		momentsNEON(&a)
	}
	momentsGeneric(sum[n:], square[n:], x[n:], stride, rows)
}

// affineArgs are the operands of [Affine] in the form the assembly reads; strides are in bytes.
type affineArgs struct {
	dst, x, scale, shift *float32
	dstStride, xStride   int
	rows, columns        int // at least 1; columns are a multiple of 16
}

//go:noescape
func affineNEON(a *affineArgs)

func affine(dst []float32, dstStride int, x []float32, xStride, rows int, scale, shift []float32) {
	n := len(scale) &^ (lanes - 1)
	if !useAffineNEON || n == 0 || rows == 0 {
		affineGeneric(dst, dstStride, x, xStride, rows, scale, shift)
		return
	}
	a := affineArgs{unsafe.SliceData(dst), unsafe.SliceData(x), unsafe.SliceData(scale), unsafe.SliceData(shift), 4 * dstStride, 4 * xStride, rows, n}
	affineNEON(&a)
	if n < len(scale) {
		affineGeneric(dst[n:], dstStride, x[n:], xStride, rows, scale[n:], shift[n:])
	}
}
