//go:build !purego

package vec

import "github.com/mminfer/mminfer/kernels"

var useHalfNEON = true

func init() { kernels.Register("vec.half", "NEON", &useHalfNEON) }

//go:noescape
func fromBF16NEON(dst *float32, x *uint16, sixteens int)

//go:noescape
func fromF16NEON(dst *float32, x *uint16, sixteens int)

//go:noescape
func toBF16NEON(dst *uint16, x *float32, sixteens int)

//go:noescape
func toF16NEON(dst *uint16, x *float32, sixteens int)

// The functions below convert groups of 16 elements and return how many elements that were.

func fromBF16(dst []float32, x []uint16) int {
	if !useHalfNEON || len(x) < 16 {
		return 0
	}
	fromBF16NEON(&dst[0], &x[0], len(x)/16)
	return len(x) &^ 15
}

func fromF16(dst []float32, x []uint16) int {
	if !useHalfNEON || len(x) < 16 {
		return 0
	}
	fromF16NEON(&dst[0], &x[0], len(x)/16)
	return len(x) &^ 15
}

func toBF16(dst []uint16, x []float32) int {
	if !useHalfNEON || len(x) < 16 {
		return 0
	}
	toBF16NEON(&dst[0], &x[0], len(x)/16)
	return len(x) &^ 15
}

func toF16(dst []uint16, x []float32) int {
	if !useHalfNEON || len(x) < 16 {
		return 0
	}
	toF16NEON(&dst[0], &x[0], len(x)/16)
	return len(x) &^ 15
}
