package models

import (
	"math"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// gatedDeltaCell is the mixer of gated_deltanet: the gated delta rule.
type gatedDeltaCell struct {
	Heads               int     `json:"num_heads"`
	ValueHeads          *int    `json:"num_v_heads"`
	HeadDim             int     `json:"head_dim"`
	ExpandV             float64 `json:"expand_v"`
	Gate                bool    `json:"use_gate"`
	GateAct             string  `json:"output_gate_activation"`
	ShortConv           bool    `json:"use_short_conv"`
	Taps                int     `json:"conv_size"`
	NegativeEigenvalues bool    `json:"allow_neg_eigval"`

	values, dimV int
}

func newGatedDeltaNet(_ string, config []byte, p nn.Params) (*Model, error) {
	sh := flaDefaults()
	sh.Layers = 21
	return buildFLA(config, p, sh, gatedDeltaDefaults())
}

func gatedDeltaDefaults() *gatedDeltaCell {
	return &gatedDeltaCell{Heads: 6, HeadDim: 256, ExpandV: 2, Gate: true, GateAct: "swish", ShortConv: true, Taps: 4}
}

func (c *gatedDeltaCell) validate(is *checks, sh *flaConfig) {
	c.values, c.dimV = is.valueHeads(c.Heads, c.ValueHeads, c.HeadDim, c.ExpandV)
	is.taps(c.Taps)
	is.activation("output_gate_activation", c.GateAct, "swish", "silu", "sigmoid")
	is.That(!sh.NormFirst, "norm_first: found true, which files of this type never are")
}

// valueHeads checks heads whose values may be more and wider than their keys, and returns the
// number and the width of the values.
func (c *checks) valueHeads(heads int, values *int, dim int, expand float64) (n, width int) {
	n = heads
	if values != nil {
		n = *values
	}
	c.Between("num_heads", heads, 1, maxHeads)
	c.Between("num_v_heads", n, 1, maxHeads)
	c.Between("head_dim", dim, 1, maxWidth)
	c.Positive("expand_v", expand)
	if c.Err() != nil {
		return 1, 1
	}
	c.That(n%heads == 0, "num_v_heads: found %d, expected a multiple of the %d heads", n, heads)
	v := float64(dim) * expand
	c.That(v >= 1 && v <= maxWidth && math.Abs(v-math.Round(v)) < 1e-9, "expand_v: head_dim · expand_v is %v, expected a whole number up to %d", v, maxWidth)
	return n, int(math.Round(min(v, maxWidth)))
}

func (c *gatedDeltaCell) mixer(p nn.Params, sh *flaConfig, _ int) nn.Mixer {
	p.Drop("D") // of older files, never used
	return recurrent(c, p, sh)
}

func (c *gatedDeltaCell) sizes(*flaConfig) (q, k, v int) {
	return c.Heads * c.HeadDim, c.Heads * c.HeadDim, c.values * c.dimV
}

func (c *gatedDeltaCell) recurrence(p nn.Params, sh *flaConfig) nn.Recurrence {
	m := &nn.GatedDelta{
		Heads: c.values, KeyHeads: c.Heads, KeyDim: c.HeadDim, ValueDim: c.dimV, NegativeEigenvalues: c.NegativeEigenvalues,
		NegA: nn.NegExp(p.Vec("A_log", c.values)), DtBias: p.Vec("dt_bias", c.values),
	}
	if c.ShortConv {
		q, k, v := c.sizes(sh)
		m.Conv = shortConvs(p, qkv, [3]int{q, k, v}, [3]int{c.HeadDim, c.HeadDim, c.dimV}, c.Taps)
	}
	return m
}

func (c *gatedDeltaCell) rates(p nn.Params, name naming, sh *flaConfig) nn.Rates {
	return nn.Rates{Direct: p.Exact(p.Tensor(name("b", ".weight"), c.values, sh.Width), p.Tensor(name("a", ".weight"), c.values, sh.Width))}
}

func (c *gatedDeltaCell) output(p nn.Params, sh *flaConfig) (nn.Output, []tensor.Tensor) {
	return deltaOutput(p, sh, c.values, c.dimV, c.Gate, activations[c.GateAct])
}
