//go:build (!amd64 && !arm64) || purego

package vec

func gelu(dst, x []float32) { geluGeneric(dst, x) }
