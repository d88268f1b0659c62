package loader

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/mminfer/mminfer/tensor"
)

const (
	maxTensors = 200_000
	maxRank    = 8
	maxName    = 512 // bytes of a tensor's name, and of a key of __metadata__

	maxMetadataKeys  = 4096
	maxMetadataBytes = 8 << 20

	prefix      = 8 // bytes before the header: its length, little-endian
	metadataKey = "__metadata__"
)

// repair is what to do about a damaged file.
const repair = "fetch the file again, or write it anew with the safetensors library"

// contents is what a file of weights holds.
type contents struct {
	tensors  []tensor.Tensor
	names    map[string]int // of tensors
	metadata map[string]string
	gguf     *GGUF                    // nil if the file is no GGUF file
	derived  map[string]func() []byte // the data of tensors that the file holds in another form
	unmap    func() error             // nil if the data are ordinary memory
	mapped   []byte                   // the whole file, if it is mapped
}

// readSafetensors opens the named file, of a header of at most limit bytes, and checks all of
// it but the values of the elements.
func readSafetensors(d directory, name string, limit int) (contents, error) {
	return d.readWeights(name, limit, parse)
}

// readWeights opens the named file, maps it where that is possible, and parses it.
func (d directory) readWeights(name string, limit int, parse func(f *file, limit int) (contents, error)) (contents, error) {
	f, err := d.open(name)
	if err != nil {
		return contents{}, err
	}
	defer f.close()
	if err := f.mapIn(); err != nil {
		return contents{}, fmt.Errorf("%s: %w", f.path, err)
	}
	whole := f.whole
	c, err := parse(f, limit)
	if err != nil {
		err = fmt.Errorf("%s: %w", f.path, err)
		if f.unmap != nil {
			err = errors.Join(err, f.unmap())
		}
		return contents{}, err
	}
	if c.unmap = f.unmap; c.unmap != nil {
		c.mapped = whole
	}
	return c, nil
}

// parse reads a safetensors file.
func parse(f *file, limit int) (contents, error) {
	text, err := readHeader(f, limit)
	if err != nil {
		return contents{}, err
	}
	h := header{scanner: scanner{data: text}, dataLen: f.left}
	if err := h.parse(); err != nil {
		return contents{}, fmt.Errorf("%w; %s", err, repair)
	}
	data, err := f.next(f.left)
	if err == nil {
		err = f.end()
	}
	if err != nil {
		return contents{}, fmt.Errorf("data: %w", err)
	}
	for _, e := range h.extents {
		h.tensors[e.index].Data = data[e.begin:e.end:e.end]
	}
	return contents{tensors: h.tensors, names: h.names, metadata: h.metadata}, nil
}

// readHeader returns the text of the header.
func readHeader(f *file, limit int) ([]byte, error) {
	start, err := f.next(min(f.left, prefix))
	if err != nil {
		return nil, err
	}
	var n uint64
	if len(start) == prefix {
		n = binary.LittleEndian.Uint64(start)
		if n <= uint64(limit) && n <= uint64(f.left) {
			return f.next(int64(n))
		}
	}
	more, err := f.next(min(f.left, sniffLen-int64(len(start))))
	if err != nil {
		return nil, err
	}
	if k := sniff(slices.Concat(start, more)); k.what != "" {
		return nil, fmt.Errorf("found %s, expected a safetensors file; %s", k.what, k.next)
	}
	switch {
	case len(start) < prefix:
		return nil, fmt.Errorf("found %d bytes, expected at least the %d of a header's length; %s", len(start), prefix, repair)
	case n > uint64(limit) && n <= maxHeader:
		return nil, fmt.Errorf("header length: found %d bytes, expected at most %d; raise the header limit if you trust the file", n, limit)
	case n > uint64(limit):
		return nil, fmt.Errorf("header length: found %d bytes, expected at most %d: not a safetensors file, or damaged; %s", n, limit, repair)
	}
	return nil, fmt.Errorf("header length: found %d bytes, expected at most the %d left in the file: it was cut short; %s", n, f.size-prefix, repair)
}

// header is a header being parsed.
type header struct {
	scanner
	dataLen  int64 // bytes behind the header
	tensors  []tensor.Tensor
	names    map[string]int
	extents  []extent
	metadata map[string]string
	dims     []int // the array that the next shapes are cut from
}

// extent is the part of the data section that a tensor occupies.
type extent struct {
	begin, end int64
	index      int // of the tensor
}

// countTensors bounds the number of entries from above, by their braces and least size.
func countTensors(text []byte) (int, error) {
	const shortest = len(`"":{"dtype":"U8","shape":[],"data_offsets":[0,0]}`)
	const others = 2 // braces: around all, and of __metadata__
	n := bytes.Count(text, []byte("{"))
	if n > maxTensors+others {
		if n = countBraces(text, maxTensors+others+1); n > maxTensors+others {
			return 0, fmt.Errorf("found more than %d tensors, expected at most that", maxTensors)
		}
	}
	return min(n, len(text)/shortest, maxTensors), nil
}

// countBraces counts the opening braces outside strings, up to limit.
func countBraces(text []byte, limit int) int {
	n, inString := 0, false
	for i := 0; i < len(text) && n < limit; i++ {
		switch c := text[i]; {
		case c == '"':
			inString = !inString
		case c == '\\' && inString:
			i++
		case c == '{' && !inString:
			n++
		}
	}
	return n
}

// parse fills in tensors, without data, and their extents, which cover the data section.
func (h *header) parse() error {
	n, err := countTensors(h.data)
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	h.tensors = make([]tensor.Tensor, 0, n)
	h.extents = make([]extent, 0, n)
	err = h.object(func(key []byte) error {
		if string(key) == metadataKey {
			return h.parseMetadata()
		}
		name := string(key)
		if err := h.parseTensor(name); err != nil {
			return fmt.Errorf("tensor %s: %w", quote(name), err)
		}
		return nil
	})
	if err == nil {
		err = h.finish()
	}
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if h.names, err = indexNames(h.tensors); err != nil {
		return err
	}
	return h.checkLayout()
}

// indexNames numbers the tensors by name, and refuses a name that repeats.
func indexNames(tensors []tensor.Tensor) (map[string]int, error) {
	names := make(map[string]int, len(tensors))
	for i, t := range tensors {
		if names[t.Name] = i; len(names) == i {
			return nil, fmt.Errorf("tensor %s: name: %w", quote(t.Name), errTwice)
		}
	}
	return names, nil
}

// parseMetadata reads the value of __metadata__, an object of strings.
func (h *header) parseMetadata() error {
	if h.metadata != nil {
		return fmt.Errorf("%s: %w", metadataKey, errTwice)
	}
	h.metadata = make(map[string]string)
	room := maxMetadataBytes
	err := h.object(func(key []byte) error {
		name := string(key)
		if _, ok := h.metadata[name]; ok {
			return fmt.Errorf("key %s: %w", quote(name), errTwice)
		}
		if len(h.metadata) == maxMetadataKeys {
			return h.errorf("found more than %d keys, expected at most that", maxMetadataKeys)
		}
		value, err := h.text(room)
		if err != nil {
			return fmt.Errorf("key %s: %w", quote(name), err)
		}
		h.metadata[name] = string(value)
		room -= len(value)
		return nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w", metadataKey, err)
	}
	return nil
}

// fields are the keys of a tensor's entry; each must be there once.
var fields = []string{"dtype", "shape", "data_offsets"}

// parseTensor reads the entry of one tensor.
func (h *header) parseTensor(name string) error {
	if len(h.tensors) == maxTensors {
		return h.errorf("found more than %d tensors, expected at most that", maxTensors)
	}
	t, e := tensor.Tensor{Name: name}, extent{index: len(h.tensors)}
	var seen [3]bool
	err := h.object(func(key []byte) error {
		i := 0
		switch string(key) {
		case "dtype":
		case "shape":
			i = 1
		case "data_offsets":
			i = 2
		default:
			return h.errorf("found key %s, expected one of %q", quote(key), fields)
		}
		if seen[i] {
			return fmt.Errorf("%s: %w", fields[i], errTwice)
		}
		seen[i] = true
		var err error
		switch i {
		case 0:
			t.Type, err = h.parseType()
		case 1:
			t.Shape, err = h.parseShape()
		default:
			e.begin, e.end, err = h.parseOffsets()
		}
		if err != nil {
			return fmt.Errorf("%s: %w", fields[i], err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if i := slices.Index(seen[:], false); i >= 0 {
		return h.errorf("found no %s, expected %q", fields[i], fields)
	}
	size, err := dataSize(t)
	if err != nil {
		return err
	}
	if got := e.end - e.begin; got != size {
		return fmt.Errorf("data_offsets: found %d bytes, [%d,%d], expected %d for %s %v", got, e.begin, e.end, size, t.Type, t.Shape)
	}
	h.tensors, h.extents = append(h.tensors, t), append(h.extents, e)
	return nil
}

// parseType reads the name of an element type.
func (h *header) parseType() (tensor.Type, error) {
	name, err := h.text(maxName)
	if err != nil {
		return tensor.Invalid, err
	}
	t := tensor.ParseType(string(name))
	if t == tensor.Invalid {
		return t, h.errorf("found %s, expected F64, F32, F16, BF16, F8_E4M3, F8_E5M2, BOOL, or I or U with 8, 16, 32 or 64", quote(name))
	}
	return t, nil
}

// parseShape reads the dimensions of a tensor.
func (h *header) parseShape() ([]int, error) {
	if cap(h.dims)-len(h.dims) < maxRank {
		h.dims = make([]int, 0, 128*maxRank)
	}
	start := len(h.dims)
	err := h.array(func() error {
		d, err := h.integer()
		switch {
		case err != nil:
			return err
		case d > math.MaxInt:
			return h.errorf("found %d, expected at most %d on this machine", d, math.MaxInt)
		case len(h.dims)-start == maxRank:
			return h.errorf("found more than %d dimensions, expected at most that", maxRank)
		}
		h.dims = append(h.dims, int(d))
		return nil
	})
	end := len(h.dims)
	return h.dims[start:end:end], err
}

// parseOffsets reads where a tensor's data begin and end, both inside the data section.
func (h *header) parseOffsets() (begin, end int64, err error) {
	var v [2]int64
	n := 0
	err = h.array(func() error {
		x, err := h.integer()
		if err != nil {
			return err
		}
		if n < 2 {
			v[n] = x
		}
		n++
		return nil
	})
	switch {
	case err != nil:
		return 0, 0, err
	case n != 2:
		return 0, 0, h.errorf("found %d numbers, expected 2", n)
	case v[0] > v[1]:
		return 0, 0, h.errorf("found %d, expected the begin to be at most the end", v)
	case v[1] > h.dataLen:
		return 0, 0, h.errorf("found %d, expected an end of at most %d, the bytes of data in the file", v, h.dataLen)
	}
	return v[0], v[1], nil
}

// dataSize returns the bytes that the tensor's type and shape need. The product of the
// dimensions other than 0 must fit an int too, so that no caller's can overflow.
func dataSize(t tensor.Tensor) (int64, error) {
	elements, block := t.Type.Block()
	count, empty := uint64(1), false
	for _, d := range t.Shape {
		if d == 0 {
			empty = true
			continue
		}
		hi, lo := bits.Mul64(count, uint64(d))
		if hi != 0 || lo > math.MaxInt {
			return 0, overflows(t)
		}
		count = lo
	}
	hi, size := bits.Mul64(count/uint64(max(elements, 1)), uint64(block))
	if hi != 0 || size > math.MaxInt {
		return 0, overflows(t)
	}
	if empty {
		return 0, nil
	}
	return int64(size), nil
}

func overflows(t tensor.Tensor) error {
	return fmt.Errorf("shape: found %s %v, which overflows, expected at most %d bytes", t.Type, t.Shape, math.MaxInt)
}

// checkLayout checks that the extents, in order, cover the data section without overlap or
// hole, so that no byte of the file has two meanings or none.
func (h *header) checkLayout() error {
	slices.SortFunc(h.extents, func(a, b extent) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	var at int64
	for _, e := range h.extents {
		if e.begin != at {
			fault := "a hole before it"
			if e.begin < at {
				fault = "an overlap with the tensor before it"
			}
			return fmt.Errorf("tensor %s: data_offsets: found [%d,%d], %s, expected a begin of %d",
				quote(h.tensors[e.index].Name), e.begin, e.end, fault, at)
		}
		at = e.end
	}
	if at != h.dataLen {
		return fmt.Errorf("data: found %d bytes, expected the %d that the tensors cover", h.dataLen, at)
	}
	return nil
}
