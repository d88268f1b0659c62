package subnet

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// Family is a base checkpoint with the adapter and the strategy that make it many models. It is
// immutable and safe for concurrent use; base and adapter must stay open.
type Family struct {
	Layers int // of the base
	Heads  int // of a layer
	Inner  int // neurons of a layer

	base     models.Checkpoint
	adapter  *Adapter  // nil for none
	opened   *Adapter  // by Open, which Close then closes
	strategy *Strategy // never nil
	config   map[string]json.RawMessage
	width    int // D
	keyHeads int
	headDim  int
	orders   []order // of each layer; nil without masks

	fingerprints struct {
		sync.Mutex
		of map[tensor.Format][sha256.Size]byte
	}
}

// order is how the units of a layer are ordered, once for all widths: by how many of them keep a unit,
// then as in the base. Where the masks are nested every width is then a prefix.
type order struct {
	heads, neurons units
}

// units are the heads or the neurons of a layer. Heads that share keys are one unit.
type units struct {
	order  []int
	kept   [][]int // for each width, in that order
	nested bool
}

// kinds are the model types that can be cut.
var kinds = []string{"llama", "mistral", "qwen2", "qwen3"}

// Open puts a family together from files: the directory of an adapter and the path of a strategy, each ""
// for none. See [New], [OpenAdapter] and [OpenStrategy].
func Open(base models.Checkpoint, adapter, strategy string) (f *Family, err error) {
	var s *Strategy
	if strategy != "" {
		if s, err = OpenStrategy(strategy); err != nil {
			return nil, err
		}
	}
	if adapter == "" {
		return New(base, nil, s)
	}
	a, err := OpenAdapter(adapter)
	if err != nil {
		return nil, err
	}
	if f, err = New(base, a, s); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	f.opened = a
	return f, nil
}

// Close releases what [Open] opened; the base stays the caller's.
func (f *Family) Close() error {
	if f.opened == nil {
		return nil
	}
	return f.opened.Close()
}

// Adapted reports whether there is an adapter.
func (f *Family) Adapted() bool { return f.adapter != nil }

// New puts a family together. Adapter and strategy may be nil. The error tells everything about them
// that does not fit the base.
func New(base models.Checkpoint, adapter *Adapter, strategy *Strategy) (*Family, error) {
	if strategy == nil {
		strategy = new(Strategy)
	}
	f := &Family{base: base, adapter: adapter, strategy: strategy}
	f.fingerprints.of = map[tensor.Format][sha256.Size]byte{}
	if err := f.readConfig(); err != nil {
		return nil, fmt.Errorf("subnet: config.json: %w", err)
	}
	if err := errors.Join(f.checkDepths(), f.orderUnits(), f.checkAdapter()); err != nil {
		return nil, fmt.Errorf("subnet: %w", err)
	}
	return f, nil
}

// readConfig reads the sizes of the base: of its tensors where its configuration may leave them out.
func (f *Family) readConfig() error {
	if err := json.Unmarshal(f.base.Config(), &f.config); err != nil {
		return err
	}
	var c struct {
		Type   string `json:"model_type"`
		Layers int    `json:"num_hidden_layers"`
		Width  int    `json:"hidden_size"`
		Heads  int    `json:"num_attention_heads"`
		List   []int  `json:"num_attention_heads_list"`
	}
	if err := json.Unmarshal(f.base.Config(), &c); err != nil {
		return err
	}
	if !slices.Contains(kinds, c.Type) {
		return fmt.Errorf("model_type %.40q has no subnets; those that have are %s", c.Type, strings.Join(kinds, ", "))
	}
	if c.List != nil {
		return errors.New("the model is a subnet already; give the whole one")
	}
	q, k, gate := f.matrix(0, "self_attn.q_proj"), f.matrix(0, "self_attn.k_proj"), f.matrix(0, "mlp.gate_proj")
	if c.Layers < 1 || c.Layers > maxLayers || c.Heads < 1 || len(q.Shape) != 2 || len(k.Shape) != 2 || len(gate.Shape) != 2 || q.Shape[0] < c.Heads || q.Shape[0]%c.Heads != 0 {
		return fmt.Errorf("found %d layers of %d heads with tensors %v, %v and %v, expected those of a transformer", c.Layers, c.Heads, q, k, gate)
	}
	f.Layers, f.Heads, f.width, f.Inner = c.Layers, c.Heads, c.Width, gate.Shape[0]
	f.headDim = q.Shape[0] / c.Heads
	f.keyHeads = k.Shape[0] / f.headDim
	return nil
}

// matrix returns a projection of the base, an empty tensor if there is none.
func (f *Family) matrix(layer int, name string) tensor.Tensor {
	t, _ := f.base.Tensor(fmt.Sprintf("model.layers.%d.%s.weight", layer, name))
	return t
}

func (f *Family) checkDepths() error {
	for m, d := range f.strategy.Depths {
		if len(d.Kept) > f.Layers || m >= f.Layers {
			return fmt.Errorf("strategy: found %d layers of which %d are removed, the model has %d", len(d.Kept), m, f.Layers)
		}
	}
	return nil
}

// orderUnits turns the masks into the units that each width keeps.
func (f *Family) orderUnits() error {
	s := f.strategy
	if s.Widths == nil {
		return nil
	}
	if len(s.Layers) != f.Layers {
		return fmt.Errorf("strategy: found masks for %d layers, expected %d", len(s.Layers), f.Layers)
	}
	if f.keyHeads < 1 || f.Heads%f.keyHeads != 0 || max(1, s.Group) != f.Heads/f.keyHeads {
		return fmt.Errorf("strategy: found masks of heads of which %d share keys, but the model's %d heads share %d; select masks for this model, or use a strategy of depths alone", max(1, s.Group), f.Heads, f.keyHeads)
	}
	for l, m := range s.Layers {
		heads, err := newUnits(m.Attention, f.keyHeads, f.headDim*f.Heads/f.keyHeads)
		if err != nil {
			return fmt.Errorf("strategy: layer %d: self_attn: %w", l, err)
		}
		neurons, err := newUnits(m.MLP, f.Inner, 1)
		if err != nil {
			return fmt.Errorf("strategy: layer %d: mlp: %w", l, err)
		}
		for _, b := range slices.Concat(m.Out, m.Down) {
			if b != nil && len(b) != f.width {
				return fmt.Errorf("strategy: layer %d: found a bias of %d, expected %d", l, len(b), f.width)
			}
		}
		f.orders = append(f.orders, order{heads, neurons})
	}
	return nil
}

// newUnits reads masks over n units of size channels each.
func newUnits(masks [][]bool, n, size int) (units, error) {
	u := units{nested: true}
	counts := make([]int, n)
	for _, mask := range masks {
		if len(mask) != n*size {
			return u, fmt.Errorf("found a mask of %d channels, expected %d", len(mask), n*size)
		}
		for i := range n {
			kept := count(mask[i*size:(i+1)*size], true)
			if kept != 0 && kept != size {
				return u, fmt.Errorf("found %d of the %d channels of head %d kept, expected all or none", kept, size, i)
			}
			if kept > 0 {
				counts[i]++
			}
		}
	}
	for i := range n {
		u.order = append(u.order, i)
	}
	slices.SortStableFunc(u.order, func(a, b int) int { return counts[b] - counts[a] })
	for _, mask := range masks {
		kept := []int{}
		for _, i := range u.order {
			if mask[i*size] {
				kept = append(kept, i)
			}
		}
		u.nested = u.nested && slices.Equal(kept, u.order[:len(kept)])
		u.kept = append(u.kept, kept)
	}
	return u, nil
}

// checkAdapter holds the adapter's factors against the base.
func (f *Family) checkAdapter() error {
	a := f.adapter
	if a == nil {
		return nil
	}
	var errs []error
	for _, at := range a.places() {
		t := f.matrix(at.layer, at.name)
		if len(t.Shape) != 2 || !slices.Contains(projections, at.name) {
			errs = append(errs, fmt.Errorf("adapter: layer %d has a correction of %.40s, the base no such projection", at.layer, at.name))
		} else if err := a.check(at, t.Shape[0], t.Shape[1]); err != nil {
			errs = append(errs, err)
		}
		if len(errs) > 20 {
			break
		}
	}
	if a.router != nil && a.router.in != f.Layers+len(a.Widths) {
		errs = append(errs, fmt.Errorf("adapter: the router takes %d numbers, expected %d layers and %d widths", a.router.in, f.Layers, len(a.Widths)))
	}
	for _, name := range replaced {
		if t, ok := a.ck.Tensor(loraPrefix + name); ok && (len(t.Shape) != 2 || t.Shape[1] != f.width || !t.Type.Float()) {
			errs = append(errs, fmt.Errorf("adapter: %s: found %v %v, want floats [vocabulary, %d]", name, t.Type, t.Shape, f.width))
		}
	}
	return errors.Join(errs...)
}

// projections are those of a layer that can be cut and corrected.
var projections = []string{
	"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj",
}

// Whole is the shape of all layers at the largest width that there is.
func (f *Family) Whole() Shape { return Shape{f.Layers, slices.Max(append(f.Widths(), 0))} }

// Depths returns the numbers of layers that a subnet can have, descending.
func (f *Family) Depths() []int {
	depths := []int{f.Layers}
	for m := range f.strategy.Depths {
		depths = append(depths, f.Layers-m)
	}
	slices.Sort(depths)
	slices.Reverse(depths)
	return depths
}

// Widths returns the widths that a subnet can have, descending: those of the masks, or 1 without masks,
// as far as the adapter's gates know them.
func (f *Family) Widths() (widths []float64) {
	all := f.strategy.Widths
	if all == nil {
		all = []float64{1}
	}
	for _, w := range all {
		if f.adapter == nil || f.adapter.router == nil || indexOf(f.adapter.Widths, w) >= 0 {
			widths = append(widths, w)
		}
	}
	return widths
}

// Shapes returns all shapes that a subnet can have.
func (f *Family) Shapes() (shapes []Shape) {
	for _, d := range f.Depths() {
		for _, w := range f.Widths() {
			shapes = append(shapes, Shape{d, w})
		}
	}
	return shapes
}

// Depth returns the layers of a depth: see [Family.Depths].
func (f *Family) Depth(depth int) (kept []bool, ok bool) {
	d, ok := f.strategy.Depths[f.Layers-depth]
	if !ok && depth != f.Layers {
		return nil, false
	}
	kept = slices.Clone(d.Kept)
	for len(kept) < f.Layers {
		kept = append(kept, true)
	}
	return kept, true
}

// Trained reports whether the reference's recipe trains a shape: it draws depths below the whole at
// any width, and the whole only at width 1. Without gates nothing was trained for shapes.
//
// Source: arXiv:2411.10606, section 3.4; main.py in GATECH-EIC/AmoebaLLM@abb8f7e.
func (f *Family) Trained(s Shape) bool {
	return f.adapter != nil && f.adapter.router != nil && (s.Depth < f.Layers || s.Width == 1)
}

// Resolve returns the shape of the family that a shape asks for, or an error that tells what there is
// and what is nearest.
func (f *Family) Resolve(s Shape) (Shape, error) {
	depths, widths := f.Depths(), f.Widths()
	if len(widths) == 0 {
		return s, fmt.Errorf("subnet: the masks are for widths %s, the adapter knows %s: no shape is possible", ratiosText(f.strategy.Widths), ratiosText(f.adapter.Widths))
	}
	if i := indexOf(widths, s.Width); i >= 0 && slices.Contains(depths, s.Depth) {
		return Shape{s.Depth, widths[i]}, nil
	}
	nearest, least := Shape{}, math.Inf(1)
	for _, c := range f.Shapes() {
		if far := math.Abs(float64(c.Depth-s.Depth))/float64(f.Layers) + math.Abs(c.Width-s.Width); far < least {
			nearest, least = c, far
		}
	}
	why := ""
	if f.strategy.Widths == nil && len(f.strategy.Depths) == 0 {
		why = " (there is no strategy)"
	}
	return s, fmt.Errorf("subnet: there is no shape %v: depths are %s, widths %s%s; the nearest shape is %v",
		s, strings.Trim(strings.ReplaceAll(fmt.Sprint(depths), " ", ", "), "[]"), ratiosText(widths), why, nearest)
}
