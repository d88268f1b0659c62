//go:build !purego

package gemm

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/kernels/quant"
)

var (
	useQ8AVX2       = hasAVX2
	useQ8AVXVNNI    = hasAVX2 && cpu.X86.HasAVXVNNI
	useQ8AVX512VNNI = hasAVX512 && cpu.X86.HasAVX512VNNI
)

func init() {
	kernels.Register("gemm.Q8", "AVX2", &useQ8AVX2)
	kernels.Register("gemm.Q8", "AVXVNNI", &useQ8AVXVNNI)
	kernels.Register("gemm.Q8", "AVX512VNNI", &useQ8AVX512VNNI)
}

func q8(dst []float32, x quant.Rows8, w []byte, d Dims) {
	switch {
	case useQ8AVX512VNNI:
		q8Tiles(q8AVX512VNNITiles, dst, x, w, d)
	case useQ8AVXVNNI:
		q8Tiles(q8AVXVNNITiles, dst, x, w, d)
	case useQ8AVX2:
		q8Tiles(q8AVX2Tiles, dst, x, w, d)
	default:
		q8Generic(dst, x, w, d)
	}
}
