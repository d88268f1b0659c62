package tensor

import "fmt"

// Type is the element type of a tensor as a checkpoint stores it, little-endian.
type Type uint8

// The element types of the safetensors format, and those of GGUF that store consecutive elements
// of a row in blocks with scales of their own: legacy Q in blocks of 32, K in blocks of 256 (IQ4_NL
// 32, IQ4_XS 256: a table of 16 values in place of evenly spaced ones).
const (
	Invalid Type = iota
	F64
	F32
	F16
	BF16
	F8E4M3 // 4 exponent bits, 3 of mantissa, no infinity ("F8_E4M3", the fn variant)
	F8E5M2 // 5 exponent bits, 2 of mantissa, IEEE-like
	I64
	I32
	I16
	I8
	U64
	U32
	U16
	U8
	Bool
	Q4_0
	Q4_1
	Q5_0
	Q5_1
	Q8_0
	Q2_K
	Q3_K
	Q4_K
	Q5_K
	Q6_K
	IQ4_NL
	IQ4_XS
	Packed // panels of weights: see [PackedTensor]
)

// types holds the name in file headers, and the elements and bytes of a block: one element where
// the type has none.
var types = [...]struct {
	name           string
	elements, size int
}{
	Invalid: {"invalid", 0, 0},
	F64:     {"F64", 1, 8}, F32: {"F32", 1, 4}, F16: {"F16", 1, 2}, BF16: {"BF16", 1, 2},
	F8E4M3: {"F8_E4M3", 1, 1}, F8E5M2: {"F8_E5M2", 1, 1},
	I64: {"I64", 1, 8}, I32: {"I32", 1, 4}, I16: {"I16", 1, 2}, I8: {"I8", 1, 1},
	U64: {"U64", 1, 8}, U32: {"U32", 1, 4}, U16: {"U16", 1, 2}, U8: {"U8", 1, 1}, Bool: {"BOOL", 1, 1},
	Q4_0: {"Q4_0", 32, 18}, Q4_1: {"Q4_1", 32, 20}, Q5_0: {"Q5_0", 32, 22}, Q5_1: {"Q5_1", 32, 24}, Q8_0: {"Q8_0", 32, 34},
	Q2_K: {"Q2_K", 256, 84}, Q3_K: {"Q3_K", 256, 110}, Q4_K: {"Q4_K", 256, 144}, Q5_K: {"Q5_K", 256, 176}, Q6_K: {"Q6_K", 256, 210},
	IQ4_NL: {"IQ4_NL", 32, 18}, IQ4_XS: {"IQ4_XS", 256, 136}, Packed: {"PACKED", 0, 0},
}

// String returns the type's name in safetensors headers or among GGUF's.
func (t Type) String() string {
	if int(t) < len(types) {
		return types[t].name
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// Size returns the bytes of one element, 0 if the type is invalid or stores blocks.
func (t Type) Size() int {
	if elements, size := t.Block(); elements == 1 {
		return size
	}
	return 0
}

// Block returns the elements and the bytes of a block; 1 and [Type.Size] if the type has none, 0
// and 0 if it is invalid or [Packed].
func (t Type) Block() (elements, size int) {
	if int(t) < len(types) {
		return types[t].elements, types[t].size
	}
	return 0, 0
}

// Float reports whether elements are floating-point numbers, those in blocks included.
func (t Type) Float() bool { return t >= F64 && t <= F8E5M2 || t >= Q4_0 && t <= Packed }

// ParseType returns the type with the given safetensors name, Invalid if there is none.
func ParseType(name string) Type {
	for t := F64; t <= Bool; t++ {
		if types[t].name == name {
			return t
		}
	}
	return Invalid
}
