//go:build !purego

package quant

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useCache8AVX2   = cpu.X86.HasAVX2
	useCache8AVX512 = cpu.X86.HasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
)

func init() {
	kernels.Register("quant.Cache8", "AVX2", &useCache8AVX2)
	kernels.Register("quant.Cache8", "AVX512", &useCache8AVX512)
}

//go:noescape
func cacheRowsAVX2(dst *float32, q *int8, scale *uint16, columns int)

//go:noescape
func cacheRowsAVX512(dst *float32, q *int8, scale *uint16, columns int)

//go:noescape
func cacheColumnsAVX2(dst *float32, q *int8, scale *uint16, columns int)

//go:noescape
func cacheColumnsAVX512(dst *float32, q *int8, scale *uint16, columns int)

func cacheRows(dst []float32, q []int8, scale []uint16, n int) {
	switch {
	case n == 0:
	case useCache8AVX512:
		cacheRowsAVX512(&dst[0], &q[0], &scale[0], n)
	case useCache8AVX2:
		cacheRowsAVX2(&dst[0], &q[0], &scale[0], n)
	default:
		cacheRowsGeneric(dst, q, scale, n)
	}
}

func cacheColumns(dst []float32, q []int8, scale []uint16, n int) {
	switch {
	case n == 0:
	case useCache8AVX512:
		cacheColumnsAVX512(&dst[0], &q[0], &scale[0], n)
	case useCache8AVX2:
		cacheColumnsAVX2(&dst[0], &q[0], &scale[0], n)
	default:
		cacheColumnsGeneric(dst, q, scale, n)
	}
}
