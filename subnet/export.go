package subnet

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
)

// ExportOptions say how a subnet is written.
type ExportOptions struct {
	// Uniform pads every layer with zeros to the heads and neurons of the largest, so that programs
	// that know only layers of one size, such as transformers, load it as a LLaMA. What it computes is the
	// same. Otherwise config.json lists the sizes of the layers, which this program alone reads.
	Uniform bool
	// Type is that of the weights, F32, BF16 or F16; Invalid keeps the base's, and float32 where that
	// stores blocks.
	Type     tensor.Type
	Pool     *tensor.Pool
	Progress func(done, total int64) // bytes
}

// Exported is a subnet to be written: its configuration and its tensors.
type Exported struct {
	Config  []byte          // config.json
	Tensors []tensor.Tensor // without data
	Bytes   int64           // of their data

	s      *Subnet
	opts   ExportOptions
	heads  int // that every layer has, of a uniform model
	keys   int
	inner  int
	biased biasing
}

// biasing says which biases a uniform model has, all or none of a kind.
type biasing struct{ attention, mlp bool }

// Export prepares the writing of a subnet whose corrections are merged.
func (s *Subnet) Export(opts ExportOptions) (*Exported, error) {
	switch opts.Type {
	case tensor.Invalid, tensor.F32, tensor.BF16, tensor.F16:
	default:
		return nil, fmt.Errorf("subnet: export: found type %v, expected F32, BF16 or F16", opts.Type)
	}
	if s.opts.Factored && s.family.adapter != nil {
		return nil, errors.New("subnet: export: the adapter's corrections are kept apart; merge them")
	}
	e := &Exported{s: s, opts: opts}
	var err error
	if e.Config, err = e.config(); err != nil {
		return nil, fmt.Errorf("subnet: export: %w", err)
	}
	for _, name := range s.names {
		t, _ := s.Tensor(name)
		t.Type, t.Data = e.typeOf(t), nil
		if opts.Uniform {
			t.Shape = e.padded(name, t.Shape)
		}
		e.Tensors = append(e.Tensors, t)
	}
	if opts.Uniform {
		e.addMissing()
	}
	for _, t := range e.Tensors {
		switch t.Type {
		case tensor.F32, tensor.BF16, tensor.F16:
		default:
			return nil, fmt.Errorf("subnet: export: %s is stored as %v; choose F32, BF16 or F16", t.Name, t.Type)
		}
	}
	slices.SortFunc(e.Tensors, func(a, b tensor.Tensor) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range e.Tensors {
		e.Bytes += int64(t.Elements() * t.Type.Size())
	}
	return e, nil
}

// typeOf is the type in which a tensor is written. Vectors keep theirs.
func (e *Exported) typeOf(t tensor.Tensor) tensor.Type {
	switch n, _ := t.Type.Block(); {
	case e.opts.Type != tensor.Invalid && len(t.Shape) > 1:
		return e.opts.Type
	case n > 1:
		return tensor.F32
	}
	return t.Type
}

// config returns config.json.
func (e *Exported) config() ([]byte, error) {
	var c map[string]any
	d := json.NewDecoder(bytes.NewReader(e.s.config))
	d.UseNumber()
	if err := d.Decode(&c); err != nil {
		return nil, err
	}
	for _, key := range []string{"torch_dtype", "dtype"} {
		delete(c, key)
	}
	c["dtype"] = dtypeName(e.dtype())
	if e.opts.Uniform {
		if err := e.uniform(c); err != nil {
			return nil, err
		}
	}
	out, err := json.MarshalIndent(c, "", "  ")
	return append(out, '\n'), err
}

// dtype is the type of the first projection.
func (e *Exported) dtype() tensor.Type {
	for _, name := range e.s.names {
		if e.s.sources[name].suffix == "weight" {
			t, _ := e.s.Tensor(name)
			return e.typeOf(t)
		}
	}
	return tensor.F32
}

func dtypeName(t tensor.Type) string {
	switch t {
	case tensor.BF16:
		return "bfloat16"
	case tensor.F16:
		return "float16"
	}
	return "float32"
}

// uniform makes a configuration that of layers of one size, and of a LLaMA if outputs have biases.
func (e *Exported) uniform(c map[string]any) error {
	f := e.s.family
	group := f.Heads / f.keyHeads
	e.keys, e.inner = 1, 1
	for _, l := range e.s.Layers {
		e.keys, e.inner = max(e.keys, len(l.KeyHeads)), max(e.inner, len(l.Neurons))
		e.biased.attention = e.biased.attention || l.Out != nil
		e.biased.mlp = e.biased.mlp || l.Down != nil
	}
	for f.width%(e.keys*group) != 0 && e.keys < f.keyHeads { // transformers wants heads that divide the width
		e.keys++
	}
	e.heads = e.keys * group
	for _, key := range []string{"num_attention_heads_list", "num_key_value_heads_list", "intermediate_size_list"} {
		delete(c, key)
	}
	c["num_attention_heads"], c["num_key_value_heads"], c["intermediate_size"], c["head_dim"] = e.heads, e.keys, e.inner, f.headDim
	if !e.biased.attention && !e.biased.mlp {
		return nil
	}
	kind, _ := c["model_type"].(string)
	slides, _ := c["use_sliding_window"].(bool)
	if kind == "qwen3" || kind == "mistral" && c["sliding_window"] != nil || kind == "qwen2" && slides {
		return fmt.Errorf("a %s with biases of its outputs cannot be written as a LLaMA; write it with layers of their own sizes", kind)
	}
	if had, _ := c["attention_bias"].(bool); kind == "qwen2" || had {
		e.biased.attention = true
	}
	if had, _ := c["mlp_bias"].(bool); had {
		e.biased.mlp = true
	}
	for _, key := range []string{"sliding_window", "use_sliding_window", "max_window_layers", "layer_types"} {
		delete(c, key)
	}
	c["model_type"], c["architectures"] = "llama", []string{"LlamaForCausalLM"}
	c["attention_bias"], c["mlp_bias"] = e.biased.attention, e.biased.mlp
	return nil
}

// padded is the shape of a tensor of a uniform model.
func (e *Exported) padded(name string, shape []int) []int {
	m := layerTensor.FindStringSubmatch(name)
	if m == nil {
		return shape
	}
	projection, suffix, _ := cutLast(m[2])
	full, ok := e.shape(projection)
	switch {
	case !ok:
		return shape
	case suffix == "bias":
		return full[:1]
	}
	return full
}

// cutLast splits a name at its last dot.
func cutLast(name string) (before, after string, found bool) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// shape is that of a projection of a uniform model.
func (e *Exported) shape(projection string) ([]int, bool) {
	f := e.s.family
	switch projection {
	case "self_attn.q_proj":
		return []int{e.heads * f.headDim, f.width}, true
	case "self_attn.k_proj", "self_attn.v_proj":
		return []int{e.keys * f.headDim, f.width}, true
	case "self_attn.o_proj":
		return []int{f.width, e.heads * f.headDim}, true
	case "mlp.gate_proj", "mlp.up_proj":
		return []int{e.inner, f.width}, true
	case "mlp.down_proj":
		return []int{f.width, e.inner}, true
	}
	return nil, false
}

// addMissing lists what a uniform model has beyond the subnet: projections without heads or neurons,
// norms before them, and biases.
func (e *Exported) addMissing() {
	have := map[string]bool{}
	for _, t := range e.Tensors {
		have[t.Name] = true
	}
	add := func(name string, shape []int) {
		if !have[name] {
			e.Tensors = append(e.Tensors, tensor.Tensor{Name: name, Type: e.dtype(), Shape: shape})
		}
	}
	for i := range e.s.Layers {
		for _, p := range projections {
			full, _ := e.shape(p)
			add(layerName(i, p+".weight"), full)
			if p[0] == 's' && e.biased.attention || p[0] == 'm' && e.biased.mlp {
				add(layerName(i, p+".bias"), full[:1])
			}
		}
	}
}

// Write writes the weights as a safetensors file.
func (e *Exported) Write(w io.Writer) error {
	var done int64
	return loader.WriteFunc(w, e.Tensors, map[string]string{"format": "pt"}, func(w io.Writer, to tensor.Tensor) error {
		size := to.Elements() * to.Type.Size()
		data := make([]byte, size)
		if from, ok := e.s.Data(to.Name, e.opts.Pool); ok {
			putInto(data, to, from)
		}
		_, err := w.Write(data)
		if done += int64(size); e.opts.Progress != nil {
			e.opts.Progress(done, e.Bytes)
		}
		return err
	})
}

// putInto puts a tensor into the first rows and columns of a larger one of zeros, in that one's type.
func putInto(data []byte, to, from tensor.Tensor) {
	if to.Type == from.Type && slices.Equal(to.Shape, from.Shape) {
		copy(data, from.Data)
		return
	}
	cols, width := from.Shape[len(from.Shape)-1], to.Shape[len(to.Shape)-1]
	rows := from.Elements() / max(cols, 1)
	row, size := make([]float32, cols), to.Type.Size()
	for r := range rows {
		from.Floats(row, r*cols)
		put(data[r*width*size:], to.Type, row)
	}
}
