package subnet

import (
	"fmt"
	"maps"
	"math"
	"slices"
)

// number returns a value as a number, NaN if it is none.
func number(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case *array:
		if x, err := v.numbers(); err == nil && len(x) == 1 {
			return x[0]
		}
	}
	return math.NaN()
}

// bools returns a vector of zeros and ones.
func bools(v any) ([]bool, error) {
	a, ok := v.(*array)
	if !ok || len(a.shape) != 1 {
		return nil, fmt.Errorf("found %T, expected a vector", v)
	}
	x, err := a.numbers()
	if err != nil {
		return nil, err
	}
	return truths(x)
}

// truths returns zeros and ones as such.
func truths(x []float64) ([]bool, error) {
	kept := make([]bool, len(x))
	for i, v := range x {
		if v != 0 && v != 1 {
			return nil, fmt.Errorf("element %d: found %v, expected 0 or 1", i, v)
		}
		kept[i] = v == 1
	}
	return kept, nil
}

// count returns how many elements of a mask are what.
func count(mask []bool, what bool) (n int) {
	for _, k := range mask {
		if k == what {
			n++
		}
	}
	return n
}

// strategy puts in order what the files said.
func (p *parts) strategy() (*Strategy, error) {
	if p.read != nil {
		return p.read, nil
	}
	s := &Strategy{Depths: p.depths}
	if len(p.mask) == 0 {
		if len(p.bias) > 0 {
			return nil, fmt.Errorf("found biases without masks; give width_mask.npy beside them")
		}
		return s, nil
	}
	layers := p.otherLayers
	s.Widths = p.widths()
	for _, w := range s.Widths {
		if !(w > 0 && w <= 1) {
			return nil, fmt.Errorf("found masks for ratio %v, expected one in (0, 1]", w)
		}
	}
	for l := range layers {
		m, err := p.masks(l, s.Widths)
		if err != nil {
			return nil, fmt.Errorf("layer %d: %w", l, err)
		}
		s.Layers = append(s.Layers, m)
	}
	if s.Group = p.group; s.Group == 1 {
		s.Group = 0
	}
	return s, nil
}

// widths returns the ratios of the masks, descending.
func (p *parts) widths() (widths []float64) {
	all := map[float64]bool{}
	for _, ratios := range p.mask {
		for w := range ratios {
			all[w] = true
		}
	}
	widths = slices.Sorted(maps.Keys(all))
	slices.Reverse(widths)
	return widths
}

// masks returns the masks and biases of a layer.
func (p *parts) masks(layer int, widths []float64) (m Masks, err error) {
	for _, w := range widths {
		if math.IsInf(w, 0) {
			return m, fmt.Errorf("found ratio %v, expected a finite number", w)
		}
		var attention, mlp []bool
		if attention, err = p.attention(layer, w); err != nil {
			return m, err
		}
		if mlp, err = p.shared(layer, w, "mlp.gate_proj", "mlp.up_proj"); err != nil {
			return m, err
		}
		m.Attention, m.MLP = append(m.Attention, attention), append(m.MLP, mlp)
		out, err := p.biasAt(layer, w, "self_attn.o_proj")
		if err != nil {
			return m, err
		}
		down, err := p.biasAt(layer, w, "mlp.down_proj")
		if err != nil {
			return m, err
		}
		m.Out, m.Down = append(m.Out, out), append(m.Down, down)
	}
	return m, nil
}

// attention returns the mask of queries. That of keys and values is the same, or, where heads share
// them, has a channel for as many of it.
func (p *parts) attention(layer int, w float64) ([]bool, error) {
	queries, err := p.shared(layer, w, "self_attn.q_proj")
	if err != nil {
		return nil, err
	}
	keys, err := p.shared(layer, w, "self_attn.k_proj", "self_attn.v_proj")
	if err != nil {
		return nil, err
	}
	group := len(queries) / max(1, len(keys))
	if p.group == 0 {
		p.group = group
	}
	if group < 1 || group != p.group || !slices.Equal(keys, keyMasks([][]bool{queries}, group)[0]) {
		return nil, fmt.Errorf("self_attn.k_proj: ratio %v: found another mask, of %d channels, than that of self_attn.q_proj, of %d", w, len(keys), len(queries))
	}
	return queries, nil
}

// shared returns the mask that some projections share.
func (p *parts) shared(layer int, w float64, names ...string) (mask []bool, err error) {
	for i, name := range names {
		x, ok := p.mask[place{layer, name}][w]
		if !ok {
			return nil, fmt.Errorf("%s: found no mask for ratio %v", name, w)
		}
		one, err := truths(x)
		if err != nil {
			return nil, fmt.Errorf("%s: ratio %v: %w", name, w, err)
		}
		if i > 0 && !slices.Equal(one, mask) {
			return nil, fmt.Errorf("%s: ratio %v: found another mask than that of %s", name, w, names[0])
		}
		mask = one
	}
	return mask, nil
}

// biasAt returns the bias of a projection, nil for none.
func (p *parts) biasAt(layer int, w float64, name string) (bias []float32, err error) {
	for i, x := range p.bias[place{layer, name}][w] {
		if !(math.Abs(x) <= math.MaxFloat32) {
			return nil, fmt.Errorf("%s: ratio %v: found %v as number %d of the bias, expected a finite one", name, w, x, i)
		}
		bias = append(bias, float32(x))
	}
	return bias, nil
}
