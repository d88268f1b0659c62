//go:build !purego

package gemm

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/kernels/quant"
)

var (
	useQ8AVX2       = hasAVX2
	useQ8AVX512VNNI = hasAVX512 && cpu.X86.HasAVX512VNNI
)

func init() {
	kernels.Register("gemm.Q8", "AVX2", &useQ8AVX2)
	kernels.Register("gemm.Q8", "AVX512VNNI", &useQ8AVX512VNNI)
}

func q8(dst []float32, x quant.Rows8, w []byte, d Dims) {
	switch {
	case useQ8AVX512VNNI:
		q8Tiles(q8AVX512VNNITiles, dst, x, w, d)
	case useQ8AVX2:
		q8Tiles(q8AVX2Tiles, dst, x, w, d)
	default:
		q8Generic(dst, x, w, d)
	}
}

// q8Tiles multiplies by panels of 8-bit weights.
func q8Tiles(m multiply, dst []float32, x quant.Rows8, w []byte, d Dims) {
	b := block{multiply: m, dst: dst, rows: x, w: unsafe.Pointer(unsafe.SliceData(w)), size: quant.Q8Size(d.K), column: Rows, d: d}
	b.cover()
}
