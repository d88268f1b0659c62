//go:build (!amd64 && !arm64) || purego

package vec

func dot(a, b []float32) float32 { return dotGeneric(a, b) }

func sum(x []float32) float32 { return sumGeneric(x) }

func shift(dst, x []float32, s float32) { shiftGeneric(dst, x, s) }
