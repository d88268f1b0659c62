package vec

import (
	"math"

	"github.com/x448/float16"
)

// FromBF16 widens bfloat16 to float32, exactly.
func FromBF16(dst []float32, x []uint16) {
	same("FromBF16", len(dst), len(x))
	n := fromBF16(dst, x)
	fromBF16Generic(dst[n:], x[n:])
}

// FromF16 widens half precision to float32, exactly.
func FromF16(dst []float32, x []uint16) {
	same("FromF16", len(dst), len(x))
	n := fromF16(dst, x)
	fromF16Generic(dst[n:], x[n:])
}

// ToBF16 rounds float32 to bfloat16, to nearest, ties to even; NaN stays NaN.
func ToBF16(dst []uint16, x []float32) {
	same("ToBF16", len(dst), len(x))
	n := toBF16(dst, x)
	toBF16Generic(dst[n:], x[n:])
}

// ToF16 rounds float32 to half precision, to nearest, ties to even; what is too large becomes
// infinite, NaN stays NaN.
func ToF16(dst []uint16, x []float32) {
	same("ToF16", len(dst), len(x))
	n := toF16(dst, x)
	toF16Generic(dst[n:], x[n:])
}

func fromBF16Generic(dst []float32, x []uint16) {
	for i, b := range x {
		dst[i] = math.Float32frombits(uint32(b) << 16)
	}
}

func fromF16Generic(dst []float32, x []uint16) {
	for i, b := range x {
		dst[i] = float16.Frombits(b).Float32()
	}
}

func toBF16Generic(dst []uint16, x []float32) {
	for i, v := range x {
		b := math.Float32bits(v)
		if v != v {
			dst[i] = uint16(b>>16) | 0x40
		} else {
			dst[i] = uint16((b + 0x7fff + b>>16&1) >> 16)
		}
	}
}

func toF16Generic(dst []uint16, x []float32) {
	for i, v := range x {
		dst[i] = float16.Fromfloat32(v).Bits()
	}
}
