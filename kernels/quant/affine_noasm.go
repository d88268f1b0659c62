//go:build (!amd64 && !arm64) || purego

package quant

func affine(dst []float32, q []byte, scale, least []float32) { affineGeneric(dst, q, scale, least) }

func affineColumns(dst []float32, q []byte, scale, least []float32) {
	affineColumnsGeneric(dst, q, scale, least)
}
