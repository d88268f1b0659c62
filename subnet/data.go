package subnet

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// Data returns a tensor of the subnet with its data, in a type that safetensors has: what a file of the
// subnet holds. The pool shares the work.
func (s *Subnet) Data(name string, pool *tensor.Pool) (tensor.Tensor, bool) {
	t, ok := s.Tensor(name)
	if !ok {
		return t, false
	}
	if from := s.sources[name]; t.Data == nil {
		t = s.materialise(t, from, pool)
	}
	if t.Type.Size() == 0 {
		t = tensor.Widened(t)
	}
	return t, true
}

// materialise makes the data of a tensor that comes without.
func (s *Subnet) materialise(t tensor.Tensor, from source, pool *tensor.Pool) tensor.Tensor {
	switch rows, cols := s.channels(from); {
	case from.suffix != "weight":
		t.Data = floatBytes(s.mixture(from).all())
		return t
	case s.merged(from.place):
		return s.merge(t, from, pool)
	default:
		sliced := gather(s.baseTensor(from), rows, cols, pool)
		sliced.Name = t.Name
		return sliced
	}
}

// gather returns a copy of some rows and columns of a matrix, nil for all as they are; in float32 if
// its type stores blocks of which columns are taken apart.
func gather(t tensor.Tensor, rows, cols []int, pool *tensor.Pool) tensor.Tensor {
	if rows == nil && cols == nil {
		return t
	}
	if t.Type == tensor.Packed {
		t = tensor.Widened(t)
	}
	n, size := t.Type.Block()
	width := t.Shape[1]
	out := tensor.Tensor{Name: t.Name, Type: t.Type, Shape: slices.Clone(t.Shape)}
	if rows != nil {
		out.Shape[0] = len(rows)
	}
	if cols != nil {
		out.Shape[1] = len(cols)
		if n > 1 {
			out.Type, n, size = tensor.F32, 1, 4
		}
	}
	out.Data = make([]byte, out.Shape[0]*out.Shape[1]/n*size)
	task := &gathering{t, out, rows, cols, width, out.Shape[1] / n * size}
	pool.Run((out.Shape[0]+rowsPerPart-1)/rowsPerPart, task)
	return out
}

// rowsPerPart is how many rows of a matrix a thread takes at a time.
const rowsPerPart = 64

// gathering is the task of gather.
type gathering struct {
	from, to   tensor.Tensor
	rows, cols []int
	width      int // columns of from
	size       int // bytes of a row of to
}

// Do gathers some rows.
func (g *gathering) Do(part int) {
	var floats []float32
	if g.cols != nil && g.to.Type != g.from.Type {
		floats = make([]float32, g.width)
	}
	for r := part * rowsPerPart; r < min((part+1)*rowsPerPart, g.to.Shape[0]); r++ {
		source := r
		if g.rows != nil {
			source = g.rows[r]
		}
		dst := g.to.Data[r*g.size : (r+1)*g.size]
		switch {
		case g.cols == nil:
			copy(dst, g.from.Data[source*g.size:])
		case floats != nil:
			g.from.Floats(floats, source*g.width)
			for i, c := range g.cols {
				binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(floats[c]))
			}
		default:
			pick(dst, g.from.Data[source*g.width*g.to.Type.Size():], g.cols, g.to.Type.Size())
		}
	}
}

// pick copies elements of size bytes.
func pick(dst, src []byte, at []int, size int) {
	switch size {
	case 2:
		for i, c := range at {
			binary.LittleEndian.PutUint16(dst[2*i:], binary.LittleEndian.Uint16(src[2*c:]))
		}
	case 4:
		for i, c := range at {
			binary.LittleEndian.PutUint32(dst[4*i:], binary.LittleEndian.Uint32(src[4*c:]))
		}
	default:
		for i, c := range at {
			copy(dst[i*size:(i+1)*size], src[c*size:])
		}
	}
}

// factorShape is the shape of a factor of a correction: rank 1 where the projection itself has none.
func (s *Subnet) factorShape(from source) []int {
	t := s.family.matrix(from.place.layer, from.place.name)
	rows, cols := s.channels(from)
	rank := max(1, s.family.adapter.ranks[from.place])
	n := []int{rank, t.Shape[1]}
	if cols != nil {
		n[1] = len(cols)
	}
	if from.suffix == "low_rank_b" {
		n = []int{t.Shape[0], rank}
		if rows != nil {
			n[0] = len(rows)
		}
	}
	return n
}

// mixture is a factor of a correction with the experts mixed by their gates, the rows or columns that
// are kept: A = Σ g·A_e, or B = Scale·Σ g·B_e. The experts' factors are mixed before they are
// multiplied, so that the product has the terms of one expert's B and another's A.
//
// Source: arXiv:2411.10606, section 3.3; peft/tuners/lora/layer.py in GATECH-EIC/AmoebaLLM@abb8f7e.
type mixture struct {
	shape      [2]int
	rows, cols []int // of the experts, nil for all as they are
	width      int   // columns of the experts
	experts    []expert
}

// expert is one factor that is mixed.
type expert struct {
	gate   float32
	factor tensor.Tensor
	floats []float32 // of the factor, nil if it has to be decoded
}

// mixture returns a factor to be mixed: without experts, and so zero, where the projection has none.
func (s *Subnet) mixture(from source) *mixture {
	a, shape := s.family.adapter, s.factorShape(from)
	m := &mixture{shape: [2]int{shape[0], shape[1]}}
	if !a.has(from.place) {
		return m
	}
	factor, scale := "A", float32(1)
	if m.rows, m.cols = s.channels(from); from.suffix == "low_rank_b" {
		factor, scale, m.cols = "B", a.Scale, nil
	} else {
		m.rows = nil
	}
	gates := s.Gates
	if gates == nil {
		gates = []float32{1}
	}
	for e, g := range gates {
		if g == 0 {
			continue
		}
		x := expert{gate: g * scale, factor: a.factor(from.place, factor, e)}
		x.floats, _ = x.factor.Float32s()
		m.experts, m.width = append(m.experts, x), x.factor.Shape[1]
	}
	return m
}

// all returns the whole factor.
func (m *mixture) all() []float32 {
	v := make([]float32, m.shape[0]*m.shape[1])
	m.fill(v, 0, new(scratch))
	return v
}

// scratch is memory of one thread.
type scratch struct{ rows, row, decoded []float32 }

// floats returns n numbers of a buffer, which grows.
func floats(buffer *[]float32, n int) []float32 {
	*buffer = slices.Grow((*buffer)[:0], n)[:n]
	return *buffer
}

// fill computes rows from first on, as many as v has room for.
func (m *mixture) fill(v []float32, first int, at *scratch) {
	n := m.shape[1]
	rows := len(v) / max(n, 1)
	switch {
	case len(m.experts) == 0:
		clear(v)
	case m.cols != nil:
		whole := floats(&at.row, m.width)
		for r := range rows {
			m.mix(whole, (first+r)*m.width, at)
			row := v[r*n : (r+1)*n]
			for i, c := range m.cols {
				row[i] = whole[c]
			}
		}
	default:
		for r := 0; r < rows; {
			source, run := m.run(first+r, rows-r)
			m.mix(v[r*n:(r+run)*n], source*n, at)
			r += run
		}
	}
}

// mixedTogether is about how many numbers are mixed at a time, to stay in the first-level cache.
const mixedTogether = 2048

// run returns which row of the experts is row r, and how many follow as they do there, most at most.
func (m *mixture) run(r, most int) (source, run int) {
	most = max(1, min(most, mixedTogether/max(m.width, 1)))
	if m.rows == nil {
		return r, most
	}
	source, run = m.rows[r], 1
	for run < most && m.rows[r+run] == source+run {
		run++
	}
	return source, run
}

// mix computes numbers of the sum of all experts from an element on.
func (m *mixture) mix(v []float32, from int, at *scratch) {
	clear(v)
	for _, e := range m.experts {
		x := e.floats
		if x != nil {
			x = x[from : from+len(v)]
		} else {
			x = floats(&at.decoded, len(v))
			e.factor.Floats(x, from)
		}
		vec.Axpy(v, e.gate, x)
	}
}

// merge returns a projection with its correction added, W + B·A, rounded once to the type of t.
func (s *Subnet) merge(t tensor.Tensor, from source, pool *tensor.Pool) tensor.Tensor {
	a, b := from, from
	a.suffix, b.suffix = "low_rank_a", "low_rank_b"
	out, in := t.Shape[0], t.Shape[1]
	rank := s.factorShape(a)[0]
	left, right := s.mixture(b).all(), transposed(s.mixture(a).all(), rank, in)
	var arena tensor.Arena
	defer arena.Free()
	w := tensor.Pack(&arena, pool, tensor.FormatF32, tensor.Tensor{Name: t.Name, Type: tensor.F32, Shape: []int{in, rank}, Data: floatBytes(right)})
	rows, cols := s.channels(from)
	m := merging{base: s.baseTensor(from), to: t, rows: rows, cols: cols}
	m.to.Data = make([]byte, out*in*t.Type.Size())
	ws := tensor.Workspace{Pool: pool}
	for from := 0; from < out; from += mergedTogether {
		n := min(mergedTogether, out-from)
		mark := ws.Mark()
		m.first, m.delta = from, ws.Mat(n, in)
		tensor.MatMul(&ws, m.delta, tensor.Mat{Rows: n, Cols: rank, Stride: rank, Data: left[from*rank : (from+n)*rank]}, w)
		pool.Run((n+rowsPerPart-1)/rowsPerPart, &m)
		ws.Release(mark)
	}
	return m.to
}

// mergedTogether is how many rows of corrections are in memory at a time.
const mergedTogether = 512

// transposed returns a matrix [rows, cols] with rows and columns exchanged.
func transposed(v []float32, rows, cols int) []float32 {
	t := make([]float32, len(v))
	for r := range rows {
		for c := range cols {
			t[c*rows+r] = v[r*cols+c]
		}
	}
	return t
}

// merging is the task of adding corrections to some rows of the base.
type merging struct {
	base, to   tensor.Tensor
	rows, cols []int
	first      int // the row of to that delta begins with
	delta      tensor.Mat
}

// Do adds corrections to some rows.
func (m *merging) Do(part int) {
	width := m.base.Shape[1]
	full := make([]float32, width)
	for i := part * rowsPerPart; i < min((part+1)*rowsPerPart, m.delta.Rows); i++ {
		r := m.first + i
		source := r
		if m.rows != nil {
			source = m.rows[r]
		}
		m.base.Floats(full, source*width)
		row := full
		if m.cols != nil {
			row = pickFloats(full, m.cols)
		}
		sum := m.delta.Row(i)
		vec.Add(sum, row, sum)
		size := m.to.Type.Size()
		put(m.to.Data[r*len(sum)*size:], m.to.Type, sum)
	}
}

// put rounds numbers to a type of a checkpoint.
func put(dst []byte, t tensor.Type, v []float32) {
	for i, x := range v {
		switch t {
		case tensor.F32:
			binary.LittleEndian.PutUint32(dst[4*i:], math.Float32bits(x))
		case tensor.F16:
			binary.LittleEndian.PutUint16(dst[2*i:], float16.Fromfloat32(x).Bits())
		case tensor.BF16:
			binary.LittleEndian.PutUint16(dst[2*i:], tensor.BFloat16(x))
		}
	}
}
