//go:build !purego

package gemm

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/kernels/quant"
)

var (
	useF32NEON     = true
	useBF16NEON    = true
	useF16NEON     = true
	useBF16DotNEON = true
	useQ8NEON      = true
	useQ8NEONDOT   = cpu.ARM64.HasASIMDDP
)

func init() {
	kernels.Register("gemm.F32", "NEON", &useF32NEON)
	kernels.Register("gemm.BF16", "NEON", &useBF16NEON)
	kernels.Register("gemm.F16", "NEON", &useF16NEON)
	kernels.Register("gemm.BF16Dot", "NEON", &useBF16DotNEON)
	kernels.Register("gemm.Q8", "NEON", &useQ8NEON)
	kernels.Register("gemm.Q8", "NEONDOT", &useQ8NEONDOT)
}

func f32(dst, x, w []float32, d Dims, add bool) {
	if useF32NEON {
		floats(f32NEONTiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 4, d, add)
	} else {
		f32Generic(dst, x, w, d, add)
	}
}

func bf16(dst, x []float32, w []uint16, d Dims, add bool) {
	if useBF16NEON {
		floats(bf16NEONTiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 2, d, add)
	} else {
		bf16Generic(dst, x, w, d, add)
	}
}

func f16(dst, x []float32, w []uint16, d Dims, add bool) {
	if useF16NEON {
		floats(f16NEONTiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 2, d, add)
	} else {
		f16Generic(dst, x, w, d, add)
	}
}

func bf16Dot(dst []float32, x, w []uint32, d Dims, add bool) {
	if useBF16DotNEON {
		pairs(bf16dotNEONTiles, dst, x, w, d, add)
	} else {
		bf16DotGeneric(dst, x, w, d, add)
	}
}

func q8(dst []float32, x quant.Rows8, w []byte, d Dims) {
	switch {
	case useQ8NEONDOT:
		q8Tiles(q8NEONDOTTiles, dst, x, w, d)
	case useQ8NEON:
		q8Tiles(q8NEONTiles, dst, x, w, d)
	default:
		q8Generic(dst, x, w, d)
	}
}
