package loader

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/mminfer/mminfer/tensor"
)

const (
	ggufMagic = "GGUF"

	maxGGUFTensors = 1 << 16
	maxGGUFRank    = 4
	maxGGUFText    = 16 << 20 // bytes of a string
	maxAlignment   = 1 << 20

	alignmentKey     = "general.alignment"
	defaultAlignment = 32
	splitKey         = "split.count"

	leastEntry = 14 // bytes of a key of one byte with a value of one
	leastInfo  = 25 // bytes of an entry for a scalar tensor with a name of one byte
)

// ggufTypes are the element types by GGUF's numbers; those without a type are not supported, and
// named for the error.
var ggufTypes = [...]struct {
	name string
	t    tensor.Type
}{
	0: {"F32", tensor.F32}, 1: {"F16", tensor.F16}, 2: {"Q4_0", tensor.Q4_0}, 3: {"Q4_1", tensor.Q4_1},
	6: {"Q5_0", tensor.Q5_0}, 7: {"Q5_1", tensor.Q5_1}, 8: {"Q8_0", tensor.Q8_0}, 9: {name: "Q8_1"},
	10: {"Q2_K", tensor.Q2_K}, 11: {"Q3_K", tensor.Q3_K}, 12: {"Q4_K", tensor.Q4_K}, 13: {"Q5_K", tensor.Q5_K},
	14: {"Q6_K", tensor.Q6_K}, 15: {name: "Q8_K"}, 16: {name: "IQ2_XXS"}, 17: {name: "IQ2_XS"}, 18: {name: "IQ3_XXS"},
	19: {name: "IQ1_S"}, 20: {"IQ4_NL", tensor.IQ4_NL}, 21: {name: "IQ3_S"}, 22: {name: "IQ2_S"}, 23: {"IQ4_XS", tensor.IQ4_XS},
	24: {"I8", tensor.I8}, 25: {"I16", tensor.I16}, 26: {"I32", tensor.I32}, 27: {"I64", tensor.I64}, 28: {"F64", tensor.F64},
	29: {name: "IQ1_M"}, 30: {"BF16", tensor.BF16}, 34: {name: "TQ1_0"}, 35: {name: "TQ2_0"}, 39: {name: "MXFP4"}, 40: {name: "NVFP4"},
}

// readGGUF opens the named GGUF file, of a header of at most limit bytes, and checks all of it but
// the values of the elements.
func readGGUF(d directory, name string, limit int) (contents, error) {
	return d.readWeights(name, limit, parseGGUF)
}

// parseGGUF reads a GGUF file of version 2 or 3.
//
// Source: ggml-org/ggml@d99724f, docs/gguf.md; stricter than that where gguf.cpp is.
func parseGGUF(f *file, limit int) (contents, error) {
	data, err := f.next(f.left)
	if err == nil {
		err = f.end()
	}
	if err != nil {
		return contents{}, err
	}
	r := ggufReader{data: data[:min(len(data), limit)], size: len(data)}
	c, err := r.read(f.path, data)
	if err != nil {
		return contents{}, fmt.Errorf("%w; fetch the file again, or write it anew", err)
	}
	return c, nil
}

// ggufReader reads a header from front to back.
type ggufReader struct {
	data []byte // as much of the file as the header may fill
	size int    // bytes of the file
	pos  int
}

// errorf is an error at the current position.
func (r *ggufReader) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %w", r.pos, fmt.Errorf(format, args...))
}

// take returns the next count values of size bytes each.
func (r *ggufReader) take(count uint64, size int) ([]byte, error) {
	hi, n := bits.Mul64(count, uint64(size))
	switch {
	case hi == 0 && n <= uint64(len(r.data)-r.pos):
		b := r.data[r.pos : r.pos+int(n)]
		r.pos += int(n)
		return b, nil
	case hi == 0 && n <= uint64(r.size-r.pos):
		return nil, r.errorf("found a header of more than %d bytes, expected at most that; raise the header limit if you trust the file", len(r.data))
	}
	return nil, r.errorf("found %d bytes left in the file, expected %d values of %d: it was cut short, or the number is wrong", r.size-r.pos, count, size)
}

// uint32 and uint64 return the next integer.
func (r *ggufReader) uint32() (uint32, error) {
	b, err := r.take(4, 1)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint32(b), nil
}

func (r *ggufReader) uint64() (uint64, error) {
	b, err := r.take(8, 1)
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(b), nil
}

// text returns the next string, of at most limit bytes.
func (r *ggufReader) text(limit uint64) ([]byte, error) {
	n, err := r.uint64()
	if err == nil && n > limit {
		err = r.errorf("found a string of %d bytes, expected at most %d", n, limit)
	}
	if err != nil {
		return nil, err
	}
	return r.take(n, 1)
}

// name returns the next string, which must do as a name.
func (r *ggufReader) name() (string, error) {
	b, err := r.text(maxName)
	if err == nil && len(b) == 0 {
		err = r.errorf("found no bytes, expected at least one")
	}
	if err == nil && !utf8.Valid(b) {
		err = r.errorf("found broken UTF-8, %s, expected valid", quote(b))
	}
	return string(b), err
}

// count returns the next integer, a number of entries of at least size bytes.
func (r *ggufReader) count(what string, limit uint64, size int) (int, error) {
	n, err := r.uint64()
	if err == nil && n > limit {
		err = r.errorf("found %d %s, expected at most %d", n, what, limit)
	}
	if left := uint64(r.size - r.pos); err == nil && n > left/uint64(size) {
		err = r.errorf("found %d %s, expected at most the %d that the %d bytes left could hold", n, what, left/uint64(size), left)
	}
	return int(n), err
}

// read reads the header; file is the whole file.
func (r *ggufReader) read(path string, file []byte) (contents, error) {
	if err := r.version(); err != nil {
		return contents{}, err
	}
	tensors, err := r.count("tensors", maxGGUFTensors, leastInfo)
	if err != nil {
		return contents{}, err
	}
	keys, err := r.count("keys", maxMetadataKeys, leastEntry)
	if err != nil {
		return contents{}, err
	}
	g := &GGUF{path: path, values: make(map[string]ggufValue, keys)}
	for i := range keys {
		if err := r.entry(g, i); err != nil {
			return contents{}, err
		}
	}
	c := contents{tensors: make([]tensor.Tensor, tensors), gguf: g}
	offsets := make([]uint64, tensors)
	for i := range tensors {
		if c.tensors[i], offsets[i], err = r.tensor(i); err != nil {
			return contents{}, err
		}
	}
	if c.names, err = indexNames(c.tensors); err != nil {
		return contents{}, err
	}
	alignment, err := g.alignment()
	if err != nil {
		return contents{}, err
	}
	return c, place(c.tensors, offsets, file, r.pos, alignment)
}

// version reads magic and version.
func (r *ggufReader) version() error {
	b, err := r.take(4, 1)
	if err != nil {
		return err
	}
	if string(b) != ggufMagic {
		return fmt.Errorf("found %s, expected the letters %q at the start", quote(b), ggufMagic)
	}
	v, err := r.uint32()
	if err == nil && v != 2 && v != 3 {
		err = fmt.Errorf("version: found %d, expected 2 or 3", v)
		if w := bits.ReverseBytes32(v); w == 2 || w == 3 {
			err = fmt.Errorf("version: found a big-endian file, expected a little-endian one")
		}
	}
	return err
}

// entry reads key number i and its value.
func (r *ggufReader) entry(g *GGUF, i int) error {
	key, err := r.name()
	if err != nil {
		return fmt.Errorf("key number %d: %w", i, err)
	}
	v, err := r.value()
	if _, ok := g.values[key]; ok && err == nil {
		err = errTwice
	}
	if err != nil {
		return fmt.Errorf("key %s: %w", quote(key), err)
	}
	g.keys = append(g.keys, key)
	g.values[key] = v
	return nil
}

// value reads a value.
func (r *ggufReader) value() (v ggufValue, err error) {
	kind, err := r.uint32()
	n := uint64(1)
	if v.array = kind == uint32(ggufArray); v.array && err == nil {
		if kind, err = r.uint32(); err == nil {
			n, err = r.uint64()
		}
	}
	if err != nil {
		return v, err
	}
	v.kind = ggufKind(kind)
	switch {
	case kind >= uint32(len(ggufKinds)):
		return v, r.errorf("found type %d, expected at most %d", kind, len(ggufKinds)-1)
	case v.kind == ggufArray:
		return v, r.errorf("found an array of arrays, expected one of numbers, bools or strings")
	case v.kind == ggufString:
		return r.strings(v, n)
	}
	if v.data, err = r.take(n, ggufKinds[kind].size); err != nil {
		return v, err
	}
	v.n = int(n)
	if v.kind == ggufBool {
		if i := slices.IndexFunc(v.data, func(b byte) bool { return b > 1 }); i >= 0 {
			return v, r.errorf("found a bool of %d, expected 0 or 1", v.data[i])
		}
	}
	return v, nil
}

// strings reads n strings. Each takes at least the 8 bytes of its length, so that n is proven
// before anybody allocates for it.
func (r *ggufReader) strings(v ggufValue, n uint64) (ggufValue, error) {
	start := r.pos
	for range n {
		if _, err := r.text(maxGGUFText); err != nil {
			return v, err
		}
	}
	v.n, v.data = int(n), r.data[start:r.pos]
	return v, nil
}

// alignment returns the alignment of tensor data and refuses one part of a split model.
func (g *GGUF) alignment() (int, error) {
	if n, err := g.Int(splitKey); err == nil && n > 1 {
		return 0, fmt.Errorf("key %q: found %d, expected 1: the model lies in several files; join them with llama-gguf-split --merge", splitKey, n)
	}
	v, ok := g.values[alignmentKey]
	if !ok {
		return defaultAlignment, nil
	}
	if v.array || v.kind != ggufUint32 {
		return 0, fmt.Errorf("key %q: found %v, expected uint32", alignmentKey, v)
	}
	n := binary.LittleEndian.Uint32(v.data)
	if n == 0 || n > maxAlignment || n&(n-1) != 0 {
		return 0, fmt.Errorf("key %q: found %d, expected a power of two of at most %d", alignmentKey, n, maxAlignment)
	}
	return int(n), nil
}

// tensor reads the entry of tensor number i: all but its data, and their offset.
func (r *ggufReader) tensor(i int) (t tensor.Tensor, offset uint64, err error) {
	if t.Name, err = r.name(); err != nil {
		return t, 0, fmt.Errorf("tensor number %d: %w", i, err)
	}
	if t.Shape, err = r.shape(); err == nil {
		t.Type, err = r.elementType()
	}
	if err == nil {
		offset, err = r.uint64()
	}
	if n, _ := t.Type.Block(); err == nil && n > 1 && (len(t.Shape) == 0 || t.Shape[len(t.Shape)-1]%n != 0) {
		err = r.errorf("shape: found %v, expected rows of whole blocks of %d elements for %v", t.Shape, n, t.Type)
	}
	if err != nil {
		return t, 0, fmt.Errorf("tensor %s: %w", quote(t.Name), err)
	}
	return t, offset, nil
}

// shape reads dimensions, which the file has innermost first.
func (r *ggufReader) shape() ([]int, error) {
	rank, err := r.uint32()
	if err != nil {
		return nil, err
	}
	if rank > maxGGUFRank {
		return nil, r.errorf("shape: found %d dimensions, expected at most %d", rank, maxGGUFRank)
	}
	shape := make([]int, rank)
	for i := range shape {
		d, err := r.uint64()
		if err == nil && (d == 0 || d > math.MaxInt) {
			err = r.errorf("shape: found a dimension of %d, expected 1 to %d", d, math.MaxInt)
		}
		if err != nil {
			return nil, err
		}
		shape[len(shape)-1-i] = int(d)
	}
	return shape, nil
}

// elementType reads an element type.
func (r *ggufReader) elementType() (tensor.Type, error) {
	n, err := r.uint32()
	if err != nil {
		return tensor.Invalid, err
	}
	if n < uint32(len(ggufTypes)) && ggufTypes[n].t != tensor.Invalid {
		return ggufTypes[n].t, nil
	}
	name := "unknown"
	if n < uint32(len(ggufTypes)) && ggufTypes[n].name != "" {
		name = ggufTypes[n].name
	}
	return tensor.Invalid, r.errorf("type: found %d (%s), expected F32, F16, BF16, F64, I8 to I64, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K to Q6_K, IQ4_NL or IQ4_XS; "+
		"fetch the model in one of these", n, name)
}

// place gives the tensors their data. They lie in the order of their entries, each at the next
// multiple of the alignment, with nothing between or behind but less than that many bytes: so no
// byte of the file has two meanings, or none.
func place(tensors []tensor.Tensor, offsets []uint64, file []byte, header, alignment int) error {
	pad := func(n uint64) uint64 { return (n + uint64(alignment) - 1) &^ uint64(alignment-1) }
	start := uint64(header)
	if len(tensors) > 0 {
		start = pad(start)
	}
	data := file[min(start, uint64(len(file))):]
	at := uint64(0) // end of the tensor before
	for i := range tensors {
		t := &tensors[i]
		size, err := dataSize(*t)
		switch begin := pad(at); {
		case err != nil:
			return fmt.Errorf("tensor %s: %w", quote(t.Name), err)
		case offsets[i] != begin:
			return fmt.Errorf("tensor %s: offset: found %d, expected %d, the next multiple of %d behind the tensor before", quote(t.Name), offsets[i], begin, alignment)
		case begin > uint64(len(data)) || uint64(size) > uint64(len(data))-begin:
			return fmt.Errorf("tensor %s: found %d bytes of data in the file, expected %d at %d for %s %v: it was cut short", quote(t.Name), len(data), size, begin, t.Type, t.Shape)
		default:
			at = begin + uint64(size)
			t.Data = data[begin:at:at]
		}
	}
	if end := pad(start + at); uint64(len(file)) > end {
		return fmt.Errorf("data: found %d bytes in the file, expected at most the %d that header and tensors cover", len(file), end)
	}
	return nil
}
