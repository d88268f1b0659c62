package subnet

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// Config returns the subnet's config.json.
func (s *Subnet) Config() []byte { return s.config }

// Names returns the names of the subnet's tensors, sorted. The caller must not modify it.
func (s *Subnet) Names() []string { return s.names }

// Tensor returns a tensor of the subnet and whether there is one. Projections that are made for the
// subnet come without data: see [Subnet.Data].
func (s *Subnet) Tensor(name string) (tensor.Tensor, bool) {
	from, ok := s.sources[name]
	if !ok {
		return tensor.Tensor{}, false
	}
	switch {
	case from.suffix == "weight":
		t := s.baseTensor(from)
		rows, cols := s.channels(from)
		t.Shape = []int{t.Shape[0], t.Shape[1]}
		if rows != nil {
			t.Shape[0] = len(rows)
		}
		if cols != nil {
			t.Shape[1] = len(cols)
		}
		return tensor.Tensor{Name: name, Type: s.stored(from, t.Type), Shape: t.Shape}, true
	case from.suffix == "bias":
		return s.bias(name, from), true
	case from.suffix != "":
		return tensor.Tensor{Name: name, Type: tensor.F32, Shape: s.factorShape(from)}, true
	}
	t, ok := s.replacement(name)
	if !ok {
		t = s.baseTensor(from)
	}
	t.Name = name
	return t, true
}

func (s *Subnet) baseTensor(from source) tensor.Tensor {
	t, _ := s.family.base.Tensor(from.name)
	return t
}

// stored is the type that a projection has in the subnet: the base's, or one that holds sums and can be
// written to a file.
func (s *Subnet) stored(from source, base tensor.Type) tensor.Type {
	switch {
	case base.Size() == 0:
		return tensor.F32
	case !s.merged(from.place):
		return base
	case s.opts.Format == tensor.FormatF32 || base == tensor.F64:
		return tensor.F32
	case base == tensor.F8E4M3 || base == tensor.F8E5M2:
		return tensor.F16
	}
	return base
}

// merged reports whether a projection has a correction added to it.
func (s *Subnet) merged(at place) bool { return !s.opts.Factored && s.family.adapter.has(at) }

// channels returns the rows and columns of a projection that are kept, in order; nil for all as they
// are.
func (s *Subnet) channels(from source) (rows, cols []int) {
	l := from.layer
	switch from.place.name {
	case "self_attn.q_proj":
		return s.headChannels(l, l.Heads), nil
	case "self_attn.k_proj", "self_attn.v_proj":
		return s.headChannels(l, l.KeyHeads), nil
	case "self_attn.o_proj":
		return nil, s.headChannels(l, l.Heads)
	case "mlp.gate_proj", "mlp.up_proj":
		return l.neuronChannels(), nil
	}
	return nil, l.neuronChannels()
}

func (s *Subnet) headChannels(l *Layer, heads []int) []int {
	if !l.cutHeads {
		return nil
	}
	return expand(heads, s.family.headDim)
}

func (l *Layer) neuronChannels() []int {
	if !l.cutNeurons {
		return nil
	}
	return l.Neurons
}

// expand returns the channels of units of so many, or the heads of units of heads.
func expand(units []int, size int) []int {
	channels := make([]int, 0, len(units)*size)
	for _, u := range units {
		for i := range size {
			channels = append(channels, u*size+i)
		}
	}
	return channels
}

// bias returns the bias of a projection: the base's, its kept rows, and what a mask brings.
func (s *Subnet) bias(name string, from source) tensor.Tensor {
	var v []float32
	if from.name != "" {
		t := s.baseTensor(from)
		v = make([]float32, t.Elements())
		t.Floats(v, 0)
	}
	if rows, _ := s.channels(from); rows != nil {
		v = pickFloats(v, rows)
	}
	added := map[string][]float32{"self_attn.o_proj": from.layer.Out, "mlp.down_proj": from.layer.Down}[from.place.name]
	if v == nil {
		v = make([]float32, len(added))
	}
	for i, x := range added {
		v[i] += x
	}
	return tensor.Tensor{Name: name, Type: tensor.F32, Shape: []int{len(v)}, Data: floatBytes(v)}
}

func pickFloats(v []float32, at []int) []float32 {
	picked := make([]float32, len(at))
	for i, c := range at {
		picked[i] = v[c]
	}
	return picked
}

// floatBytes returns numbers as a file has them, where possible without a copy.
func floatBytes(v []float32) []byte {
	if b := tensor.LittleEndian(v); b != nil || len(v) == 0 {
		return b
	}
	b := make([]byte, 0, 4*len(v))
	for _, x := range v {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
	}
	return b
}

// Fingerprint identifies the subnet: base, adapter, shape, gates and form. It reads base and adapter
// once for each format.
func (s *Subnet) Fingerprint(format tensor.Format, pool *tensor.Pool) [sha256.Size]byte {
	parts := s.family.fingerprint(format, pool)
	h := sha256.New()
	h.Write(parts[:])
	h.Write(s.config)
	fmt.Fprintln(h, s.Shape, s.Gates, s.opts.Factored)
	var line []byte
	for _, l := range s.Layers {
		line = strconv.AppendInt(line[:0], int64(l.Index), 10)
		line = append(appendList(appendList(line, l.Heads), l.Neurons), '\n')
		h.Write(line)
		h.Write(floatBytes(slices.Concat(l.Out, l.Down)))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// appendList appends a space and numbers in brackets.
func appendList(line []byte, list []int) []byte {
	line = append(line, " ["...)
	for i, n := range list {
		if i > 0 {
			line = append(line, ' ')
		}
		line = strconv.AppendInt(line, int64(n), 10)
	}
	return append(line, ']')
}

// fingerprint identifies base and adapter.
func (f *Family) fingerprint(format tensor.Format, pool *tensor.Pool) [sha256.Size]byte {
	f.fingerprints.Lock()
	defer f.fingerprints.Unlock()
	sum, ok := f.fingerprints.of[format]
	if !ok {
		sum = models.Fingerprint(f.base, format, pool)
		if f.adapter != nil {
			a := models.Fingerprint(f.adapter.ck, format, pool)
			sum = sha256.Sum256(append(append(sum[:], a[:]...), fmt.Sprint(f.adapter.Scale)...))
		}
		f.fingerprints.of[format] = sum
	}
	return sum
}
