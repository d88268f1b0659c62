//go:build (!amd64 && !arm64) || purego

package attn

func rope(x []float32, cos, sin []float32) { ropeGeneric(x, cos, sin) }
