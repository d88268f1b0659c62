//go:build !purego

package vec

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var useHalfAVX2 = cpu.X86.HasAVX2 // every processor with AVX2 has F16C

func init() { kernels.Register("vec.half", "AVX2", &useHalfAVX2) }

//go:noescape
func fromBF16AVX2(dst *float32, x *uint16, sixteens int)

//go:noescape
func fromF16AVX2(dst *float32, x *uint16, sixteens int)

//go:noescape
func toBF16AVX2(dst *uint16, x *float32, sixteens int)

//go:noescape
func toF16AVX2(dst *uint16, x *float32, sixteens int)

// The functions below convert groups of 16 elements and return how many elements that were.

func fromBF16(dst []float32, x []uint16) int {
	if !useHalfAVX2 || len(x) < 16 {
		return 0
	}
	fromBF16AVX2(&dst[0], &x[0], len(x)/16)
	return len(x) &^ 15
}

func fromF16(dst []float32, x []uint16) int {
	if !useHalfAVX2 || len(x) < 16 {
		return 0
	}
	fromF16AVX2(&dst[0], &x[0], len(x)/16)
	return len(x) &^ 15
}

func toBF16(dst []uint16, x []float32) int {
	if !useHalfAVX2 || len(x) < 16 {
		return 0
	}
	toBF16AVX2(&dst[0], &x[0], len(x)/16)
	return len(x) &^ 15
}

func toF16(dst []uint16, x []float32) int {
	if !useHalfAVX2 || len(x) < 16 {
		return 0
	}
	toF16AVX2(&dst[0], &x[0], len(x)/16)
	return len(x) &^ 15
}
