package tensor

import "fmt"

// Type is the element type of a tensor as a checkpoint stores it, little-endian.
type Type uint8

// The element types of the safetensors format.
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
)

// types holds the name in file headers and the size of one element in bytes.
var types = [...]struct {
	name string
	size int
}{
	Invalid: {"invalid", 0},
	F64:     {"F64", 8}, F32: {"F32", 4}, F16: {"F16", 2}, BF16: {"BF16", 2},
	F8E4M3: {"F8_E4M3", 1}, F8E5M2: {"F8_E5M2", 1},
	I64: {"I64", 8}, I32: {"I32", 4}, I16: {"I16", 2}, I8: {"I8", 1},
	U64: {"U64", 8}, U32: {"U32", 4}, U16: {"U16", 2}, U8: {"U8", 1}, Bool: {"BOOL", 1},
}

// String returns the type's name in safetensors headers.
func (t Type) String() string {
	if int(t) < len(types) {
		return types[t].name
	}
	return fmt.Sprintf("Type(%d)", uint8(t))
}

// Size returns the bytes of one element, 0 if the type is invalid.
func (t Type) Size() int {
	if int(t) < len(types) {
		return types[t].size
	}
	return 0
}

// Float reports whether elements are floating-point numbers.
func (t Type) Float() bool { return t >= F64 && t <= F8E5M2 }

// ParseType returns the type with the given safetensors name, Invalid if there is none.
func ParseType(name string) Type {
	for t := F64; t <= Bool; t++ {
		if types[t].name == name {
			return t
		}
	}
	return Invalid
}
