//go:build !purego

package gemm

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	hasAVX2       = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	hasAVX512     = hasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
	useF32AVX2    = hasAVX2
	useF32AVX512  = hasAVX512
	useBF16AVX2   = hasAVX2
	useBF16AVX512 = hasAVX512
	useF16AVX2    = hasAVX2 // every processor with AVX2 has F16C
	useF16AVX512  = hasAVX512

	useBF16DotAVX2       = hasAVX2
	useBF16DotAVX512BF16 = hasAVX512 && cpu.X86.HasAVX512BF16
)

func init() {
	kernels.Register("gemm.F32", "AVX2", &useF32AVX2)
	kernels.Register("gemm.F32", "AVX512", &useF32AVX512)
	kernels.Register("gemm.BF16", "AVX2", &useBF16AVX2)
	kernels.Register("gemm.BF16", "AVX512", &useBF16AVX512)
	kernels.Register("gemm.F16", "AVX2", &useF16AVX2)
	kernels.Register("gemm.F16", "AVX512", &useF16AVX512)
	kernels.Register("gemm.BF16Dot", "AVX2", &useBF16DotAVX2)
	kernels.Register("gemm.BF16Dot", "AVX512BF16", &useBF16DotAVX512BF16)
}

func f32(dst, x, w []float32, d Dims, add bool) {
	switch {
	case useF32AVX512:
		floats(f32AVX512Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 4, d, add)
	case useF32AVX2:
		floats(f32AVX2Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 4, d, add)
	default:
		f32Generic(dst, x, w, d, add)
	}
}

func bf16(dst, x []float32, w []uint16, d Dims, add bool) {
	switch {
	case useBF16AVX512:
		floats(bf16AVX512Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 2, d, add)
	case useBF16AVX2:
		floats(bf16AVX2Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 2, d, add)
	default:
		bf16Generic(dst, x, w, d, add)
	}
}

func f16(dst, x []float32, w []uint16, d Dims, add bool) {
	switch {
	case useF16AVX512:
		floats(f16AVX512Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 2, d, add)
	case useF16AVX2:
		floats(f16AVX2Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 2, d, add)
	default:
		f16Generic(dst, x, w, d, add)
	}
}

func bf16Dot(dst []float32, x, w []uint32, d Dims, add bool) {
	switch {
	case useBF16DotAVX512BF16:
		pairs(bf16dotAVX512BF16Tiles, dst, x, w, d, add)
	case useBF16DotAVX2:
		pairs(bf16dotAVX2Tiles, dst, x, w, d, add)
	default:
		bf16DotGeneric(dst, x, w, d, add)
	}
}
