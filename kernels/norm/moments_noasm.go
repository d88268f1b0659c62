//go:build (!amd64 && !arm64) || purego

package norm

func moments(sum, square, x []float32, stride, rows int) {
	momentsGeneric(sum, square, x, stride, rows)
}

func affine(dst []float32, dstStride int, x []float32, xStride, rows int, scale, shift []float32) {
	affineGeneric(dst, dstStride, x, xStride, rows, scale, shift)
}
