package models

import (
	"math"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// glaCell is the mixer of gla: gated linear attention.
type glaCell struct {
	Heads     int      `json:"num_heads"`
	KVHeads   *int     `json:"num_kv_heads"`
	ExpandK   float64  `json:"expand_k"`
	ExpandV   float64  `json:"expand_v"`
	Map       *string  `json:"feature_map"`
	ShortConv bool     `json:"use_short_conv"`
	Taps      int      `json:"conv_size"`
	Gate      bool     `json:"use_output_gate"`
	ClampMin  *float64 `json:"clamp_min"`

	grouped
}

// The rank and the divisor of gla's decays are no keys of a configuration.
const (
	glaRank       = 16
	glaNormalizer = 16
)

func newGLA(_ string, config []byte, p nn.Params) (*Model, error) {
	return buildFLA(config, p, flaDefaults(), glaDefaults())
}

func glaDefaults() *glaCell {
	return &glaCell{Heads: 4, ExpandK: 0.5, ExpandV: 1, Taps: 4, Gate: true}
}

func (c *glaCell) validate(is *checks, sh *flaConfig) {
	c.grouped = is.group(sh.Width, c.Heads, c.KVHeads, c.ExpandK, c.ExpandV)
	is.taps(c.Taps)
	is.optionalMap(c.Map)
	is.That(c.ClampMin == nil || *c.ClampMin <= 0, "clamp_min: found %v, expected null or a log decay up to 0", c.clamp())
}

// taps checks the width of a short convolution.
func (c *checks) taps(n int) { c.Between("conv_size", n, 1, 256) }

// clamp is the smallest log decay.
func (c *glaCell) clamp() float64 {
	if c.ClampMin == nil {
		return math.Inf(-1)
	}
	return *c.ClampMin
}

func (c *glaCell) mixer(p nn.Params, sh *flaConfig, _ int) nn.Mixer { return recurrent(c, p, sh) }

func (c *glaCell) recurrence(p nn.Params, sh *flaConfig) nn.Recurrence {
	m := &nn.GLA{
		Heads: c.heads, KVHeads: c.kv, KeyDim: c.dimK, ValueDim: c.dimV,
		Act: activationOf(c.Map), Normalizer: glaNormalizer, Clamp: float32(c.clamp()),
	}
	if c.ShortConv {
		q, k, v := c.sizes(sh)
		m.Conv = shortConvs(p, qkv, [3]int{q, k, v}, [3]int{c.dimK, c.dimK, c.dimV}, c.Taps)
	}
	return m
}

func (c *glaCell) rates(p nn.Params, name naming, sh *flaConfig) nn.Rates {
	n := c.kv * c.dimK
	return nn.Rates{
		Low:  p.Exact(p.Tensor(name("gk", ".0.weight"), glaRank, sh.Width)),
		High: p.Exact(p.Tensor(name("gk", ".1.weight"), n, glaRank)),
		Bias: p.Vec(name("gk", ".1.bias"), n),
	}
}

func (c *glaCell) output(p nn.Params, sh *flaConfig) (nn.Output, []tensor.Tensor) {
	return sh.gatedOutput(p, c.heads, c.dimV, c.Gate)
}
