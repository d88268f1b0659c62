package loader

import (
	"encoding/binary"
	"math"

	"github.com/mminfer/mminfer/tensor"
)

// exists reports whether the file has a tensor.
func (m *ggufMap) exists(name string) bool {
	_, ok := m.file.names[name]
	return ok
}

// take returns a tensor of the file, which must be there.
func (m *ggufMap) take(name string) (tensor.Tensor, bool) {
	i, ok := m.file.names[name]
	if !ok {
		m.fail("tensor %s: missing", quote(name))
		return tensor.Tensor{}, false
	}
	m.used[name] = true
	t := m.file.tensors[i]
	if !t.Type.Float() {
		m.fail("tensor %s: found %v, expected floating-point numbers", quote(name), t.Type)
		return t, false
	}
	return t, true
}

// add puts a tensor into the checkpoint.
func (m *ggufMap) add(name string, t tensor.Tensor, shape ...int) {
	n, _ := t.Type.Block()
	if elements(shape) != t.Elements() || n > 1 && (len(shape) < 2 || shape[len(shape)-1]%n != 0) {
		m.fail("tensor %s: found %s %v, expected %v", quote(t.Name), t.Type, t.Shape, shape)
		return
	}
	t.Name, t.Shape = name, shape
	m.out.names[name] = len(m.out.tensors)
	m.out.tensors = append(m.out.tensors, t)
}

func elements(shape []int) int { return tensor.Tensor{Shape: shape}.Elements() }

// move gives a tensor another name and, if one is given, another shape.
func (m *ggufMap) move(to, from string, shape ...int) {
	if t, ok := m.take(from); ok {
		if shape == nil {
			shape = t.Shape
		}
		m.add(to, t, shape...)
	}
}

// maybe moves a tensor if the file has it, and reports whether.
func (m *ggufMap) maybe(to, from string, shape ...int) bool {
	if !m.exists(from) {
		return false
	}
	m.move(to, from, shape...)
	return true
}

// linear moves a projection and its bias, if it has one, and reports whether it has.
func (m *ggufMap) linear(to, from string) bool {
	m.move(to+".weight", from+".weight")
	return m.maybe(to+".bias", from+".bias")
}

// convert moves a vector or another small tensor as float32, its numbers changed by f.
func (m *ggufMap) convert(to, from string, f func(v []float32), shape ...int) {
	t, ok := m.take(from)
	if n, _ := t.Type.Block(); ok && n > 1 {
		m.fail("tensor %s: found %v, expected numbers that are not in blocks", quote(from), t.Type)
	}
	if !ok || m.err != nil {
		return
	}
	if shape == nil {
		shape = t.Shape
	}
	if elements(shape) != t.Elements() {
		m.fail("tensor %s: found %v, expected %v", quote(from), t.Shape, shape)
		return
	}
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	f(v)
	m.add(to, tensor.Tensor{Name: from, Type: tensor.F32, Shape: t.Shape, Data: appendFloats(nil, v)}, shape...)
}

// logNegated computes A_log from A = -exp(A_log).
func logNegated(a []float32) {
	for i, x := range a {
		a[i] = float32(math.Log(-float64(x)))
	}
}

// width returns the elements of a row: all axes but the last one count as rows, and a vector is a
// column.
func width(shape []int) int {
	if len(shape) < 2 {
		return 1
	}
	return shape[len(shape)-1]
}

// gather puts a tensor together from rows of others, of cols elements each: source names part and
// row of each of its rows, nil for all rows in order. The bytes are computed whenever they are asked
// for, in the type of the parts, float32 if they differ.
func (m *ggufMap) gather(to string, shape []int, cols int, parts []tensor.Tensor, source func(row int) (part, from int)) {
	total := 0
	t := tensor.Tensor{Name: to, Shape: shape, Type: parts[0].Type}
	for _, p := range parts {
		if n, _ := p.Type.Block(); cols == 0 || p.Elements()%cols != 0 || cols%n != 0 || width(p.Shape)%cols != 0 {
			m.fail("tensor %s: found %s %v, expected rows of %d", quote(p.Name), p.Type, p.Shape, cols)
			return
		}
		if total += p.Elements(); p.Type != t.Type {
			t.Type = tensor.F32
		}
	}
	if total != elements(shape) {
		m.fail("tensor %s: found %v, expected a part of %v", quote(parts[0].Name), parts[0].Shape, shape)
		return
	}
	if source == nil {
		source = inOrder(parts, cols)
	}
	if m.add(to, t, shape...); m.err == nil {
		m.out.derived[to] = func() []byte { return gatherRows(t.Type, total/cols, cols, parts, source) }
	}
}

// inOrder is the source of rows one part after the other.
func inOrder(parts []tensor.Tensor, cols int) func(row int) (part, from int) {
	return func(row int) (int, int) {
		i := 0
		for ; row >= parts[i].Elements()/cols; i++ {
			row -= parts[i].Elements() / cols
		}
		return i, row
	}
}

// gatherRows copies rows, or decodes them where a part has another type.
func gatherRows(typ tensor.Type, rows, cols int, parts []tensor.Tensor, source func(row int) (part, from int)) []byte {
	n, size := typ.Block()
	width := cols / n * size
	out := make([]byte, 0, rows*width)
	var floats []float32
	for row := range rows {
		i, from := source(row)
		if p := parts[i]; p.Type == typ {
			out = append(out, p.Data[from*width:(from+1)*width]...)
			continue
		}
		if floats == nil {
			floats = make([]float32, cols)
		}
		parts[i].Floats(floats, from*cols)
		out = appendFloats(out, floats)
	}
	return out
}

// appendFloats appends numbers as a tensor has them.
func appendFloats(b []byte, v []float32) []byte {
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// permute moves the rows of a tensor: row r of the result is row source(r) of the file's.
func (m *ggufMap) permute(to, from string, rows int, source func(row int) int, shape ...int) {
	t, ok := m.take(from)
	if !ok {
		return
	}
	cols := width(t.Shape)
	if t.Elements() != rows*cols {
		m.fail("tensor %s: found %v, expected %d rows", quote(from), t.Shape, rows)
		return
	}
	if shape == nil {
		shape = t.Shape
	}
	m.gather(to, shape, cols, []tensor.Tensor{t}, func(r int) (int, int) { return 0, source(r) })
}

// permuteColumns does the same with blocks of so many columns. Where they cut the blocks of the
// type, the result is float32.
func (m *ggufMap) permuteColumns(to, from string, blocks, size int, source func(block int) int) {
	t, ok := m.take(from)
	if !ok {
		return
	}
	if len(t.Shape) != 2 || t.Shape[1] != blocks*size || size == 0 {
		m.fail("tensor %s: found %v, expected rows of %d", quote(from), t.Shape, blocks*size)
		return
	}
	at := func(r int) (int, int) { return 0, r/blocks*blocks + source(r%blocks) }
	if n, _ := t.Type.Block(); size%n == 0 {
		m.gather(to, t.Shape, size, []tensor.Tensor{t}, at)
		return
	}
	decoded := tensor.Tensor{Name: from, Type: tensor.F32, Shape: t.Shape}
	if m.add(to, decoded, t.Shape...); m.err != nil {
		return
	}
	m.out.derived[to] = func() []byte {
		v := make([]float32, t.Elements())
		t.Floats(v, 0)
		decoded := decoded
		decoded.Data = appendFloats(make([]byte, 0, 4*len(v)), v)
		return gatherRows(tensor.F32, len(v)/size, size, []tensor.Tensor{decoded}, at)
	}
}

// stack puts tensors of the file one below the other.
func (m *ggufMap) stack(to string, shape []int, from ...string) {
	var parts []tensor.Tensor
	for _, name := range from {
		t, ok := m.take(name)
		if !ok {
			return
		}
		parts = append(parts, t)
	}
	m.gather(to, shape, width(shape), parts, nil)
}

// maxExperts bounds the experts of a layer.
const maxExperts = 1 << 12

// experts moves the slices of a tensor [experts, ...] to tensors of their own.
func (m *ggufMap) experts(from string, n int, to func(expert int) string) {
	t, ok := m.take(from)
	if !ok {
		return
	}
	if len(t.Shape) != 3 || t.Shape[0] != n || n > maxExperts {
		m.fail("tensor %s: found %v, expected %d experts, at most %d", quote(from), t.Shape, n, maxExperts)
		return
	}
	for e := range n {
		m.add(to(e), t.Rows(e, e+1), t.Shape[1:]...)
	}
}

// block returns the start of the names of a layer's tensors in the file.
func block(layer int) string { return withNumber("blk.", layer) }
