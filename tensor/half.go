package tensor

import (
	"math"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/vec"
)

// Float16 returns the bits of the nearest finite number in half precision; NaN stays NaN.
func Float16(v float32) uint16 { return float16.Fromfloat32(max(-65504, min(65504, v))).Bits() }

// BFloat16 returns the upper half of a number, rounded to nearest, ties to even; NaN stays NaN.
func BFloat16(v float32) uint16 {
	b := math.Float32bits(v)
	if v != v {
		return uint16(b>>16) | 0x40
	}
	return uint16((b + 0x7fff + b>>16&1) >> 16)
}

// Narrow rounds numbers to FormatBF16 or FormatF16. dst and src have the same length.
func Narrow(dst []uint16, src []float32, f Format) {
	if f == FormatBF16 {
		vec.ToBF16(dst, src)
		return
	}
	for i, v := range src {
		dst[i] = Float16(v)
	}
}

// Widen undoes [Narrow], exactly but for its rounding.
func Widen(dst []float32, src []uint16, f Format) {
	if f == FormatBF16 {
		vec.FromBF16(dst, src)
	} else {
		vec.FromF16(dst, src)
	}
}
