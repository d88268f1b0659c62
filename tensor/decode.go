package tensor

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/x448/float16"
)

// Floats converts elements from to from+len(dst)-1 to float32. F32 and narrower floats convert
// exactly; F64, integers and elements in blocks round to nearest. It panics if the range lies
// outside, cuts a block, or the type has no value.
func (t Tensor) Floats(dst []float32, from int) {
	if t.Type == Packed {
		t.packedFloats(dst, from)
		return
	}
	n, size := t.Type.Block()
	if from < 0 || n == 0 || from%n != 0 || len(dst)%n != 0 || (from+len(dst))/n*size > len(t.Data) {
		panic(fmt.Sprintf("tensor.Floats: elements %d to %d of %v with %d bytes", from, from+len(dst), t, len(t.Data)))
	}
	b := t.Data[from/n*size : (from+len(dst))/n*size]
	if n > 1 {
		decodeBlocks(t.Type, dst, b)
		return
	}
	switch t.Type {
	case F32:
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
	case BF16:
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(b[2*i:])) << 16)
		}
	case F16:
		for i := range dst {
			dst[i] = float16.Frombits(binary.LittleEndian.Uint16(b[2*i:])).Float32()
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:])))
		}
	case F8E4M3, F8E5M2:
		for i := range dst {
			dst[i] = float8(t.Type, b[i])
		}
	default:
		for i := range dst {
			dst[i] = integer(t.Type, b[i*size:])
		}
	}
}

// float8 converts an 8-bit float. E4M3 has no infinity: exponent and mantissa all ones is NaN
// (Micikevicius et al. 2022, arXiv:2209.05433).
func float8(t Type, b byte) float32 {
	mantissaBits, bias := 3, 7
	if t == F8E5M2 {
		// The upper byte of a half-precision number.
		return float16.Frombits(uint16(b) << 8).Float32()
	}
	sign := float32(1 - 2*int(b>>7))
	exponent, mantissa := int(b>>mantissaBits&15), int(b&7)
	switch {
	case exponent == 15 && mantissa == 7:
		return float32(math.NaN())
	case exponent == 0:
		return sign * float32(math.Ldexp(float64(mantissa), 1-bias-mantissaBits))
	}
	return sign * float32(math.Ldexp(float64(8+mantissa), exponent-bias-mantissaBits))
}

// integer converts one little-endian integer or bool.
func integer(t Type, b []byte) float32 {
	switch t {
	case I64:
		return float32(int64(binary.LittleEndian.Uint64(b)))
	case I32:
		return float32(int32(binary.LittleEndian.Uint32(b)))
	case I16:
		return float32(int16(binary.LittleEndian.Uint16(b)))
	case I8:
		return float32(int8(b[0]))
	case U64:
		return float32(binary.LittleEndian.Uint64(b))
	case U32:
		return float32(binary.LittleEndian.Uint32(b))
	case U16:
		return float32(binary.LittleEndian.Uint16(b))
	default: // U8, Bool
		return float32(b[0])
	}
}
