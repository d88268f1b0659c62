//go:build !amd64 || purego

package gemm

func (c cache) tiles(dst, x, wide []float32, d Dims, add bool) bool { return false }
