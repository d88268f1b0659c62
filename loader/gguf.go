package loader

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
)

// ErrNoKey is wrapped by the errors of [GGUF]'s methods about a key that the file does not have.
var ErrNoKey = errors.New("found no such key")

// GGUF is the metadata of a GGUF file: keys such as "llama.block_count" with typed values. Its
// methods may be called concurrently until the checkpoint is closed, and not afterwards: the values
// may be mapped memory. What the methods return is the caller's own.
type GGUF struct {
	path   string
	keys   []string // in the file's order
	values map[string]ggufValue
}

// ggufValue is a value as the file stores it.
type ggufValue struct {
	kind  ggufKind // of an element
	array bool
	n     int    // elements; 1 if it is no array
	data  []byte // little-endian; strings with their lengths before them
}

// ggufKind is the type of a metadata value.
type ggufKind uint32

const (
	ggufUint8 ggufKind = iota
	ggufInt8
	ggufUint16
	ggufInt16
	ggufUint32
	ggufInt32
	ggufFloat32
	ggufBool
	ggufString
	ggufArray
	ggufUint64
	ggufInt64
	ggufFloat64
)

// ggufKinds holds the name and the bytes of a value of each kind, 0 where they vary.
var ggufKinds = [...]struct {
	name string
	size int
}{
	{"uint8", 1}, {"int8", 1}, {"uint16", 2}, {"int16", 2}, {"uint32", 4}, {"int32", 4}, {"float32", 4},
	{"bool", 1}, {"string", 0}, {"array", 0}, {"uint64", 8}, {"int64", 8}, {"float64", 8},
}

// String returns the type as in Go, such as "uint32" or "[3]string".
func (v ggufValue) String() string {
	if name := ggufKinds[v.kind].name; !v.array {
		return name
	} else {
		return fmt.Sprintf("[%d]%s", v.n, name)
	}
}

// elements yields the bytes of each element; of a string, those of its text.
func (v ggufValue) elements() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		data, size := v.data, ggufKinds[v.kind].size
		for range v.n {
			if v.kind == ggufString {
				size = int(binary.LittleEndian.Uint64(data))
				data = data[8:]
			}
			if !yield(data[:size]) {
				return
			}
			data = data[size:]
		}
	}
}

// integer returns an integer of any kind, and whether it is one that fits.
func (k ggufKind) integer(b []byte) (int64, bool) {
	switch k {
	case ggufUint8:
		return int64(b[0]), true
	case ggufInt8:
		return int64(int8(b[0])), true
	case ggufUint16:
		return int64(binary.LittleEndian.Uint16(b)), true
	case ggufInt16:
		return int64(int16(binary.LittleEndian.Uint16(b))), true
	case ggufUint32:
		return int64(binary.LittleEndian.Uint32(b)), true
	case ggufInt32:
		return int64(int32(binary.LittleEndian.Uint32(b))), true
	case ggufUint64, ggufInt64:
		v := int64(binary.LittleEndian.Uint64(b))
		return v, k == ggufInt64 || v >= 0
	}
	return 0, false
}

// float returns a number of any kind, and whether it is one.
func (k ggufKind) float(b []byte) (float64, bool) {
	switch k {
	case ggufFloat32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), true
	case ggufFloat64:
		return math.Float64frombits(binary.LittleEndian.Uint64(b)), true
	case ggufUint64:
		return float64(binary.LittleEndian.Uint64(b)), true
	}
	v, ok := k.integer(b)
	return float64(v), ok
}

// boolean returns a bool, and whether it is one.
func (k ggufKind) boolean(b []byte) (value, ok bool) { return b[0] != 0, k == ggufBool }

// text returns a string, and whether it is one.
func (k ggufKind) text(b []byte) (string, bool) {
	if k != ggufString {
		return "", false
	}
	return string(b), true
}

// Keys returns all keys in the file's order.
func (g *GGUF) Keys() []string { return slices.Clone(g.keys) }

// Has reports whether there is a value of the given key.
func (g *GGUF) Has(key string) bool {
	_, ok := g.values[key]
	return ok
}

// Type returns the type of a value as in Go, such as "uint32" or "[32000]string"; "" without one.
func (g *GGUF) Type(key string) string {
	if v, ok := g.values[key]; ok {
		return v.String()
	}
	return ""
}

// Int returns an integer of any type; one above the largest int64 is an error.
func (g *GGUF) Int(key string) (int64, error) { return ggufOne(g, key, "an integer", ggufKind.integer) }

// Float returns a number of any type, rounded where it is a large integer.
func (g *GGUF) Float(key string) (float64, error) {
	return ggufOne(g, key, "a number", ggufKind.float)
}

// Bool returns a bool.
func (g *GGUF) Bool(key string) (bool, error) { return ggufOne(g, key, "a bool", ggufKind.boolean) }

// String returns a string, which need not be valid UTF-8.
func (g *GGUF) String(key string) (string, error) {
	return ggufOne(g, key, "a string", ggufKind.text)
}

// Ints returns an array as [GGUF.Int] does its elements. A single value counts as an array of one,
// here and in the methods below.
func (g *GGUF) Ints(key string) ([]int64, error) {
	return ggufAll(g, key, "integers", ggufKind.integer)
}

// Floats returns an array as [GGUF.Float] does its elements.
func (g *GGUF) Floats(key string) ([]float64, error) {
	return ggufAll(g, key, "numbers", ggufKind.float)
}

// Bools returns an array of bools.
func (g *GGUF) Bools(key string) ([]bool, error) { return ggufAll(g, key, "bools", ggufKind.boolean) }

// Strings returns an array of strings, which need not be valid UTF-8.
func (g *GGUF) Strings(key string) ([]string, error) {
	return ggufAll(g, key, "strings", ggufKind.text)
}

// ggufOne returns the value of a key that holds no array.
func ggufOne[T any](g *GGUF, key, want string, convert func(ggufKind, []byte) (T, bool)) (T, error) {
	var none T
	v, ok := g.values[key]
	if ok && v.array {
		return none, g.errorf(key, "found %v, expected %s", v, want)
	}
	list, err := ggufAll(g, key, want, convert)
	if err != nil {
		return none, err
	}
	return list[0], nil
}

// ggufAll returns the elements of the value of a key.
func ggufAll[T any](g *GGUF, key, want string, convert func(ggufKind, []byte) (T, bool)) ([]T, error) {
	v, ok := g.values[key]
	if !ok {
		return nil, g.errorf(key, "%w, expected %s", ErrNoKey, want)
	}
	var zero [8]byte // a value of any kind
	if _, ok := convert(v.kind, zero[:]); !ok {
		return nil, g.errorf(key, "found %v, expected %s", v, want)
	}
	list := make([]T, 0, v.n)
	for b := range v.elements() {
		x, ok := convert(v.kind, b)
		if !ok {
			return nil, g.errorf(key, "found %d, expected %s of at most %d", binary.LittleEndian.Uint64(b), want, int64(math.MaxInt64))
		}
		list = append(list, x)
	}
	return list, nil
}

// errorf is an error about the value of a key.
func (g *GGUF) errorf(key, format string, args ...any) error {
	return fmt.Errorf("loader: %s: key %s: %w", g.path, quote(key), fmt.Errorf(format, args...))
}
