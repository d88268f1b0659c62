package subnet

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mminfer/mminfer/tensor"
)

// Options say how a subnet is made of its parts.
type Options struct {
	// Format is that in which the model will be packed. It decides in which precision corrections
	// are merged, and whether they can be.
	Format tensor.Format
	// Factored keeps the adapter's corrections apart, as two thin matrices of each projection, in place of
	// adding them to the weights: see [Family.Quantised].
	Factored bool
	// Weights, if not nil, holds the whole base in memory, of which every model is made then: a change
	// of shape reads no weights again. It needs Factored where there is an adapter.
	Weights *Weights
	// Gates weigh the adapter's experts; nil for those that it computes itself from the shape.
	Gates []float32
	// GateSeed draws the noise that the reference adds to its gates; nil leaves it out.
	GateSeed *uint64
	// Depth, if not nil, lists the layers that are kept in place of those of the strategy.
	Depth []int
}

// Subnet is one shape of a family: a checkpoint that models are built from. Nothing of it is in memory
// but what is asked for.
type Subnet struct {
	Shape  Shape
	Layers []Layer   // those kept, in order
	Gates  []float32 // of the adapter's experts, nil without

	family  *Family
	opts    Options
	config  []byte
	sources map[string]source
	names   []string
	thin    map[string]*tensor.Weight // low-rank factors, packed
}

// Layer is what a subnet keeps of a layer.
type Layer struct {
	Index          int   // of the layer in the base
	Heads, Neurons []int // kept, in the order in which they are computed with
	KeyHeads       []int // those of them that have keys, numbered among these
	Out, Down      []float32

	cutHeads, cutNeurons bool // not simply all of them
	nestedHeads          bool // a prefix of the order of all widths
	nestedNeurons        bool
}

// Quantised reports whether a format rounds the base's projections to integers, or they are packed
// already: an adapter then stays factored.
func (f *Family) Quantised(format tensor.Format) bool {
	as := format.For(f.matrix(0, "self_attn.q_proj").Type)
	return as.Quantised() || as == tensor.FormatAuto
}

// Cut returns the subnet of a shape.
func (f *Family) Cut(shape Shape, opts Options) (*Subnet, error) {
	kept, err := f.keptLayers(&shape, opts.Depth)
	if err != nil {
		return nil, err
	}
	if f.adapter != nil && !opts.Factored && (opts.Weights != nil || f.Quantised(opts.Format)) {
		return nil, errors.New("subnet: corrections cannot be added to weights that are quantised or shared by several shapes; keep them factored")
	}
	s := &Subnet{Shape: shape, family: f, opts: opts}
	if s.Gates, err = f.gates(shape, kept, opts); err != nil {
		return nil, err
	}
	for l, k := range kept {
		if k {
			s.Layers = append(s.Layers, f.layer(l, shape.Width))
		}
	}
	if s.config, err = s.writeConfig(); err != nil {
		return nil, fmt.Errorf("subnet: config.json: %w", err)
	}
	s.index()
	return s, nil
}

// keptLayers returns which layers are kept, and completes the shape.
func (f *Family) keptLayers(shape *Shape, listed []int) (kept []bool, err error) {
	if listed == nil {
		if *shape, err = f.Resolve(*shape); err != nil {
			return nil, err
		}
		kept, _ = f.Depth(shape.Depth)
		return kept, nil
	}
	if shape.Depth = len(listed); len(listed) == 0 {
		return nil, errors.New("subnet: found an empty list of layers")
	}
	if resolved, err := f.Resolve(Shape{f.Layers, shape.Width}); err != nil {
		return nil, err
	} else {
		shape.Width = resolved.Width
	}
	kept = make([]bool, f.Layers)
	for _, l := range listed {
		if l < 0 || l >= f.Layers || kept[l] {
			return nil, fmt.Errorf("subnet: layer %d is listed twice or not one of the model's %d", l, f.Layers)
		}
		kept[l] = true
	}
	return kept, nil
}

// gates returns the weights of the adapter's experts for a shape.
func (f *Family) gates(shape Shape, kept []bool, opts Options) ([]float32, error) {
	if f.adapter == nil || f.adapter.router == nil {
		if opts.Gates != nil || opts.GateSeed != nil {
			return nil, errors.New("subnet: found gates, but there is no adapter with experts")
		}
		return nil, nil
	}
	if opts.Gates != nil {
		if len(opts.Gates) != f.adapter.Experts {
			return nil, fmt.Errorf("subnet: found %d gates, expected one for each of %d experts", len(opts.Gates), f.adapter.Experts)
		}
		for _, g := range opts.Gates {
			if !(math.Abs(float64(g)) < 1e6) {
				return nil, fmt.Errorf("subnet: found gate %v, expected a finite number", g)
			}
		}
		return opts.Gates, nil
	}
	x := make([]float32, f.Layers+len(f.adapter.Widths))
	for l, k := range kept {
		if k {
			x[l] = 1
		}
	}
	x[f.Layers+indexOf(f.adapter.Widths, shape.Width)] = 1
	return f.adapter.router.gates(x, f.adapter.TopK, opts.GateSeed), nil
}

// layer returns what a width keeps of a layer.
func (f *Family) layer(l int, width float64) Layer {
	layer := Layer{Index: l, nestedHeads: true, nestedNeurons: true}
	if f.orders == nil {
		for i := range f.Heads {
			layer.Heads = append(layer.Heads, i)
		}
		for i := range f.keyHeads {
			layer.KeyHeads = append(layer.KeyHeads, i)
		}
		for i := range f.Inner {
			layer.Neurons = append(layer.Neurons, i)
		}
		return layer
	}
	w, o := indexOf(f.strategy.Widths, width), f.orders[l]
	layer.KeyHeads, layer.Neurons = o.heads.kept[w], o.neurons.kept[w]
	layer.Heads = expand(layer.KeyHeads, f.Heads/f.keyHeads)
	layer.cutHeads, layer.cutNeurons = true, true
	layer.nestedHeads, layer.nestedNeurons = o.heads.nested, o.neurons.nested
	if m := f.strategy.Layers[l]; m.Out != nil {
		layer.Out = m.Out[w]
	}
	if m := f.strategy.Layers[l]; m.Down != nil {
		layer.Down = m.Down[w]
	}
	return layer
}

// writeConfig returns the configuration of the subnet as a model of its own.
func (s *Subnet) writeConfig() ([]byte, error) {
	f, c := s.family, map[string]any{}
	for key, value := range f.config {
		c[key] = value
	}
	c["num_hidden_layers"] = len(s.Layers)
	if f.orders != nil {
		heads, keys, inner := []int{}, []int{}, []int{}
		for _, l := range s.Layers {
			heads, keys, inner = append(heads, len(l.Heads)), append(keys, len(l.KeyHeads)), append(inner, len(l.Neurons))
		}
		c["num_attention_heads_list"], c["num_key_value_heads_list"], c["intermediate_size_list"] = heads, keys, inner
		c["head_dim"] = f.headDim
	}
	if t, ok := s.replacement(replaced[0]); ok {
		c["vocab_size"] = t.Shape[0]
	}
	types, err := f.layerTypes()
	if err != nil {
		return nil, err
	}
	if types != nil {
		kept := []string{}
		for _, l := range s.Layers {
			kept = append(kept, types[l.Index])
		}
		c["layer_types"] = kept
	}
	return json.Marshal(c)
}

// layerTypes returns the type of each layer of the base, nil if all are alike.
func (f *Family) layerTypes() (types []string, err error) {
	var c struct {
		Types  []string `json:"layer_types"`
		Slides bool     `json:"use_sliding_window"`
		From   *int     `json:"max_window_layers"`
	}
	if err := json.Unmarshal(f.base.Config(), &c); err != nil {
		return nil, err
	}
	switch {
	case c.Types != nil && len(c.Types) != f.Layers:
		return nil, fmt.Errorf("layer_types: found %d, expected %d", len(c.Types), f.Layers)
	case c.Types != nil || !c.Slides:
		return c.Types, nil
	case c.From == nil:
		return nil, errors.New("max_window_layers: missing, expected with use_sliding_window")
	}
	for l := range f.Layers {
		types = append(types, map[bool]string{true: "sliding_attention", false: "full_attention"}[l >= *c.From])
	}
	return types, nil
}

// replacement returns the matrix that the adapter brings in place of one of the base.
func (s *Subnet) replacement(name string) (tensor.Tensor, bool) {
	if a := s.family.adapter; a != nil && slices.Contains(replaced, name) {
		return a.ck.Tensor(loraPrefix + name)
	}
	return tensor.Tensor{}, false
}

// source is where a tensor of a subnet comes from.
type source struct {
	name   string // in the base, "" if only the subnet has it
	layer  *Layer // nil for what belongs to no layer
	place  place  // of the projection, in the base
	suffix string // weight, bias, low_rank_a or low_rank_b
}

// layerTensor matches the names of tensors of layers.
var layerTensor = regexp.MustCompile(`^model\.layers\.(\d{1,6})\.(.+)$`)

// index lists the tensors of the subnet.
func (s *Subnet) index() {
	s.sources = map[string]source{}
	at := map[int]int{}
	for i := range s.Layers {
		at[s.Layers[i].Index] = i
	}
	for _, name := range s.family.base.Names() {
		m := layerTensor.FindStringSubmatch(name)
		if m == nil {
			s.sources[name] = source{name: name}
			continue
		}
		index, _ := strconv.Atoi(m[1])
		i, kept := at[index]
		if !kept || s.empty(&s.Layers[i], m[2]) {
			continue
		}
		s.sources[layerName(i, m[2])] = s.source(name, &s.Layers[i], m[2])
	}
	for _, name := range replaced {
		if _, ok := s.replacement(name); ok {
			s.sources[name] = source{name: name}
		}
	}
	for i := range s.Layers {
		s.indexAdded(i, &s.Layers[i])
	}
	for name := range s.sources {
		s.names = append(s.names, name)
	}
	slices.Sort(s.names)
}

func layerName(i int, rest string) string { return fmt.Sprintf("model.layers.%d.%s", i, rest) }

// empty reports whether a tensor belongs to heads or neurons of which none are kept. The biases of
// outputs stay.
func (s *Subnet) empty(l *Layer, rest string) bool {
	switch rest {
	case "self_attn.o_proj.bias", "mlp.down_proj.bias":
		return false
	}
	return len(l.Heads) == 0 && strings.HasPrefix(rest, "self_attn.") || len(l.Neurons) == 0 && strings.HasPrefix(rest, "mlp.")
}

// source describes a tensor of a layer.
func (s *Subnet) source(name string, l *Layer, rest string) source {
	for _, p := range projections {
		if suffix, ok := strings.CutPrefix(rest, p+"."); ok && (suffix == "weight" || suffix == "bias") {
			return source{name, l, place{l.Index, p}, suffix}
		}
	}
	return source{name: name, layer: l}
}

// groups are projections that share their input: where one has a correction, all get one.
var groups = [][]string{projections[0:3], projections[3:4], projections[4:6], projections[6:7]}

// indexAdded lists what layer i has beyond the base: biases of outputs, and factored corrections.
func (s *Subnet) indexAdded(i int, l *Layer) {
	for _, b := range []struct {
		bias []float32
		name string
	}{{l.Out, "self_attn.o_proj"}, {l.Down, "mlp.down_proj"}} {
		name := layerName(i, b.name+".bias")
		if _, ok := s.sources[name]; b.bias != nil && !ok {
			s.sources[name] = source{"", l, place{l.Index, b.name}, "bias"}
		}
	}
	if !s.opts.Factored {
		return
	}
	for _, group := range groups {
		corrected := false
		for _, name := range group {
			corrected = corrected || s.family.adapter.has(place{l.Index, name})
		}
		if !corrected || s.empty(l, group[0]) {
			continue
		}
		for _, name := range group {
			for _, suffix := range []string{"low_rank_a", "low_rank_b"} {
				s.sources[layerName(i, name+"."+suffix)] = source{"", l, place{l.Index, name}, suffix}
			}
		}
	}
}
