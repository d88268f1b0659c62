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

// sixteens is how many groups of 16 elements the assembly takes; the portable code takes the rest.
func sixteens(n int) int {
	if useHalfAVX2 {
		return n / 16
	}
	return 0
}

func fromBF16(dst []float32, x []uint16) {
	n := sixteens(len(x))
	if n > 0 {
		fromBF16AVX2(&dst[0], &x[0], n)
	}
	fromBF16Generic(dst[16*n:], x[16*n:])
}

func fromF16(dst []float32, x []uint16) {
	n := sixteens(len(x))
	if n > 0 {
		fromF16AVX2(&dst[0], &x[0], n)
	}
	fromF16Generic(dst[16*n:], x[16*n:])
}

func toBF16(dst []uint16, x []float32) {
	n := sixteens(len(x))
	if n > 0 {
		toBF16AVX2(&dst[0], &x[0], n)
	}
	toBF16Generic(dst[16*n:], x[16*n:])
}

func toF16(dst []uint16, x []float32) {
	n := sixteens(len(x))
	if n > 0 {
		toF16AVX2(&dst[0], &x[0], n)
	}
	toF16Generic(dst[16*n:], x[16*n:])
}
