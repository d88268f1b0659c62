//go:build !purego

package conv

import (
	"unsafe"

	"github.com/mminfer/mminfer/kernels"
)

var useWinogradNEON = true

func init() { kernels.Register("conv.Winograd", "NEON", &useWinogradNEON) }

// sourceArgs are the operands of [WinogradSource] in the form the assembly reads; strides are in bytes.
type sourceArgs struct {
	dst, x      *float32
	stride      int
	row, column int
	bytes       int // of the channels, a multiple of 16
}

//go:noescape
func winogradSourceNEON(a *sourceArgs)

func winogradSource(dst []float32, dstStride int, x []float32, row, column, channels int) {
	n := 0
	if useWinogradNEON && channels >= 4 {
		n = channels &^ 3
		a := sourceArgs{unsafe.SliceData(dst), unsafe.SliceData(x), 4 * dstStride, 4 * row, 4 * column, 4 * n}
		winogradSourceNEON(&a)
	}
	winogradSourceGeneric(dst, dstStride, x, row, column, channels, n)
}

// outputArgs are the operands of [WinogradOutput] in the form the assembly reads; stride is in bytes.
type outputArgs struct {
	y00, y01, y10, y11, m *float32
	stride                int
	bytes                 int // of the channels, a multiple of 16
}

//go:noescape
func winogradOutputNEON(a *outputArgs)

func winogradOutput(y00, y01, y10, y11, m []float32, stride int) {
	n := 0
	if useWinogradNEON && len(y00) >= 4 {
		n = len(y00) &^ 3
		a := outputArgs{unsafe.SliceData(y00), unsafe.SliceData(y01), unsafe.SliceData(y10), unsafe.SliceData(y11), unsafe.SliceData(m), 4 * stride, 4 * n}
		winogradOutputNEON(&a)
	}
	winogradOutputGeneric(y00, y01, y10, y11, m, stride, n)
}
