package models

import "github.com/mminfer/mminfer/nn"

// hgrn2Cell is the mixer of hgrn2: a gated recurrence whose state is an outer product.
type hgrn2Cell struct {
	Heads       *int `json:"num_heads"`
	ExpandRatio *int `json:"expand_ratio"`
	ShortConv   bool `json:"use_short_conv"`
	Taps        int  `json:"conv_size"`
	LowerBound  bool `json:"use_lower_bound"`

	heads, dimK, dimV int
	bounds            [][]float32 // of each layer's forget gates
}

func newHGRN2(_ string, config []byte, p nn.Params) (*Model, error) {
	ratio := 128
	return buildFLA(config, p, flaDefaults(), &hgrn2Cell{ExpandRatio: &ratio, Taps: 4, LowerBound: true})
}

// validate finds the number of heads from the width of their keys, expand_ratio, or the other way
// round.
func (c *hgrn2Cell) validate(is *checks, sh *flaConfig) {
	is.taps(c.Taps)
	switch {
	case c.ExpandRatio != nil:
		is.Between("expand_ratio", *c.ExpandRatio, 1, sh.Width)
		if c.dimK = *c.ExpandRatio; c.dimK > 0 {
			c.heads = sh.Width / c.dimK
		}
	case c.Heads != nil:
		is.Between("num_heads", *c.Heads, 1, maxHeads)
		if c.heads = *c.Heads; c.heads > 0 {
			c.dimK = sh.Width / c.heads
		}
	default:
		is.That(false, "expand_ratio: found null, as is num_heads; expected one of them")
	}
	if c.heads < 1 || c.dimK < 1 {
		is.That(is.Err() != nil, "num_heads: more heads than the width of %d holds", sh.Width)
		return
	}
	is.That(sh.Width%c.heads == 0, "expand_ratio: %d heads do not divide the width of %d", c.heads, sh.Width)
	c.dimV = sh.Width / c.heads
}

func (c *hgrn2Cell) body(p nn.Params, sh *flaConfig) {
	c.bounds = lowerBounds(p, c.LowerBound, sh.Layers, c.heads*c.dimK)
}

// mixer normalises with the epsilon that the reference has built in, whatever norm_eps says.
func (c *hgrn2Cell) mixer(p nn.Params, sh *flaConfig, layer int) nn.Mixer {
	keys, d := c.heads*c.dimK, sh.Width
	rec := &nn.HGRN2{Heads: c.heads, KeyDim: c.dimK, ValueDim: c.dimV, Lower: c.bounds[layer]}
	if c.ShortConv {
		rec.Conv = shortConvs(p, [3]string{"q", "f", "i"}, [3]int{keys, keys, d}, [3]int{c.dimK, c.dimK, c.dimV}, c.Taps)
	}
	return &nn.Recurrent{
		Rec: rec,
		In:  p.Linear(p.Tensor("q_proj.weight", keys, d), p.Tensor("f_proj.weight", keys, d), p.Tensor("i_proj.weight", d, d)),
		Output: nn.Output{
			Norm: sh.affineNorm(p, "g_norm.weight", d, 1e-5),
			Proj: p.High().Linear(p.Tensor("o_proj.weight", d, d)),
		},
	}
}
