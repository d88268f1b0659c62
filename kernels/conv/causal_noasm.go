//go:build (!amd64 && !arm64) || purego

package conv

func taps(dst, init, w, u []float32, wStride, uStride, n int) {
	tapsGeneric(dst, init, w, u, wStride, uStride, n)
}

func (c *causal) strips() int { return 0 }
