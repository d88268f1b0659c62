package main

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// shapeFlag is a flag that takes the shape of a subnet.
type shapeFlag struct {
	subnet.Shape
	set bool
}

func (s *shapeFlag) String() string {
	if !s.set {
		return ""
	}
	return s.Shape.String()
}

func (s *shapeFlag) Type() string { return "shape" }

func (s *shapeFlag) Set(text string) (err error) {
	if s.Shape, err = subnet.ParseShape(text); err != nil {
		return errors.New("expected DEPTHxWIDTH, such as 24x0.75 or 24x7/8")
	}
	s.set = true
	return nil
}

// layersFlag is a flag that takes layers, such as 0-15,18.
type layersFlag struct {
	text   string
	layers []int
}

func (l *layersFlag) String() string { return l.text }
func (l *layersFlag) Type() string   { return "layers" }

func (l *layersFlag) Set(text string) error {
	l.text, l.layers = text, nil
	const most = 1 << 16
	for word := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(strings.TrimSpace(word), "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 0 || to < from || to > most {
			return errors.New("expected numbers and ranges, such as 0-15,18")
		}
		for i := from; i <= to; i++ {
			l.layers = append(l.layers, i)
		}
	}
	return nil
}

// subnetFlags choose a subnet of a model.
type subnetFlags struct {
	shape             shapeFlag
	adapter, strategy string
	layers            layersFlag
	form              choice
	gates             list[number, *number]
	seed              uint64
	c                 *cobra.Command
}

// newSubnetFlags adds the flags of a subnet, --shape apart.
func newSubnetFlags(c *cobra.Command) *subnetFlags {
	s := &subnetFlags{c: c, form: choice{"merged", []string{"merged", "factored"}}}
	s.gates.zero = number{min: -math.MaxFloat32, max: math.MaxFloat32}
	f := c.Flags()
	f.StringVar(&s.strategy, "strategy", "", "`file` or directory of a strategy: which layers, heads and neurons a shape keeps")
	f.StringVar(&s.adapter, "adapter", "", "`directory` of a low-rank adapter")
	f.Var(&s.layers, "layers", "keep these layers in place of the strategy's")
	f.Var(&s.form, "lora", "the adapter's corrections: merged into the weights (quantised ones keep them apart), or factored")
	f.Var(&s.gates, "gates", "weights of the adapter's experts, in place of its own")
	f.Uint64Var(&s.seed, "gate-seed", 0, "draw the noise that the reference adds to the gates")
	_ = c.MarkFlagDirname("adapter") // these fail only if the flag does not exist
	_ = c.RegisterFlagCompletionFunc("lora", cobra.FixedCompletions(s.form.words, cobra.ShellCompDirectiveNoFileComp))
	c.MarkFlagsMutuallyExclusive("gates", "gate-seed")
	return s
}

// shapeOf adds --shape.
func (s *subnetFlags) shapeOf() *subnetFlags {
	s.c.Flags().Var(&s.shape, "shape", "run a subnet of so many layers and this share of heads and neurons, such as 24x0.75")
	return s
}

// experts returns the gates that were given.
func (s *subnetFlags) experts() (gates []float32) {
	for _, g := range s.gates.values {
		gates = append(gates, float32(g.value))
	}
	return gates
}

func (s *subnetFlags) gateSeed() *uint64 {
	if !s.c.Flags().Changed("gate-seed") {
		return nil
	}
	return &s.seed
}

// wanted reports whether any flag asks for a subnet.
func (s *subnetFlags) wanted() bool {
	return s.shape.set || s.adapter != "" || s.strategy != "" || s.layers.layers != nil || s.gates.values != nil || s.gateSeed() != nil
}

// options are the flags as options of an engine.
func (s *subnetFlags) options() (opts []mminfer.Option) {
	if s == nil || !s.wanted() {
		return nil
	}
	opts = append(opts, mminfer.WithAdapter(s.adapter), mminfer.WithStrategy(s.strategy), mminfer.WithShape(s.shape.String()), mminfer.WithGates(s.experts()), mminfer.WithLayers(s.layers.layers))
	if s.form.value == "factored" {
		opts = append(opts, mminfer.WithFactored())
	}
	if seed := s.gateSeed(); seed != nil {
		opts = append(opts, mminfer.WithGateSeed(*seed))
	}
	return opts
}

// opened is a checkpoint, or what the flags make of it.
type opened struct {
	model  models.Checkpoint
	subnet *subnet.Subnet // nil unless it is one
	family *subnet.Family
}

// Close releases the adapter; the checkpoint is the caller's.
func (o *opened) Close() error {
	if o.family == nil {
		return nil
	}
	return o.family.Close()
}

// open returns the subnet of a checkpoint that the flags and a shape ask for, or the checkpoint.
func (s *subnetFlags) open(ck *loader.Checkpoint, shape shapeFlag, f tensor.Format) (o *opened, err error) {
	o = &opened{model: ck}
	if !s.wanted() && !shape.set {
		return o, nil
	}
	if o.family, err = subnet.Open(ck, s.adapter, s.strategy); err != nil {
		return nil, err
	}
	if !shape.set {
		shape.Shape = o.family.Whole()
	}
	o.subnet, err = o.family.Cut(shape.Shape, subnet.Options{
		Format: f, Factored: s.form.value == "factored" || o.family.Adapted() && o.family.Quantised(f),
		Gates: s.experts(), GateSeed: s.gateSeed(), Depth: s.layers.layers,
	})
	if err != nil {
		return nil, errors.Join(err, o.Close())
	}
	o.model = o.subnet
	return o, nil
}

// about describes the shape of a subnet, "" for a whole model.
func (o *opened) about() string {
	if o.subnet == nil {
		return ""
	}
	return o.subnet.Shape.String()
}
