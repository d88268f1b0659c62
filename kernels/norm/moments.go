package norm

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels"
)

// Moments sums every column of x about its first element.
//
//	sum[c] = Σₜ (x[t,c] - x[0,c]),  square[c] = Σₜ (x[t,c] - x[0,c])²
//
// Both accumulate in the order of t, the second fused. Shapes: sum, square [C]; x [T, C], rows stride elements
// apart, T at least 1. They do not overlap. It panics if the sizes disagree.
//
// Source: Chan, Golub, LeVeque 1983, The American Statistician 37(3), shifted data.
func Moments(sum, square, x []float32, stride, rows int) {
	c := len(sum)
	if rows < 1 || stride < c || len(square) != c || len(x) < (rows-1)*stride+c {
		panic(fmt.Sprintf("norm.Moments: len(sum)=%d, len(square)=%d, len(x)=%d, %d rows %d apart", c, len(square), len(x), rows, stride))
	}
	moments(sum, square, x, stride, rows)
}

// Affine computes dst[t,c] = x[t,c]·scale[c] + shift[c], rounded once.
//
// Shapes: dst, x [T, C], rows dstStride and xStride elements apart; scale, shift [C]. dst may be x exactly or not
// overlap it. It panics if the sizes disagree.
func Affine(dst []float32, dstStride int, x []float32, xStride, rows int, scale, shift []float32) {
	c := len(scale)
	if rows < 0 || dstStride < c || xStride < c || len(shift) != c || rows > 0 && (len(dst) < (rows-1)*dstStride+c || len(x) < (rows-1)*xStride+c) {
		panic(fmt.Sprintf("norm.Affine: len(dst)=%d, len(x)=%d, %d rows %d and %d apart, len(scale)=%d, len(shift)=%d",
			len(dst), len(x), rows, dstStride, xStride, c, len(shift)))
	}
	affine(dst, dstStride, x, xStride, rows, scale, shift)
}

func momentsGeneric(sum, square, x []float32, stride, rows int) {
	for c := range sum {
		var s, q float32
		for t := range rows {
			d := x[t*stride+c] - x[c]
			s += d
			q = kernels.FMA(d, d, q)
		}
		sum[c], square[c] = s, q
	}
}

func affineGeneric(dst []float32, dstStride int, x []float32, xStride, rows int, scale, shift []float32) {
	for t := range rows {
		for c, s := range scale {
			dst[t*dstStride+c] = kernels.FMA(x[t*xStride+c], s, shift[c])
		}
	}
}
