//go:build (!amd64 && !arm64) || purego

package conv

func winogradSource(dst []float32, dstStride int, x []float32, row, column, channels int) {
	winogradSourceGeneric(dst, dstStride, x, row, column, channels, 0)
}

func winogradOutput(y00, y01, y10, y11, m []float32, stride int) {
	winogradOutputGeneric(y00, y01, y10, y11, m, stride, 0)
}
