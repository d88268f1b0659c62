package models

import "github.com/mminfer/mminfer/nn"

// hgrnCell is the mixer of hgrn: an elementwise gated recurrence.
type hgrnCell struct {
	ExpandRatio *float64 `json:"expand_ratio"`
	ShortConv   bool     `json:"use_short_conv"`
	Taps        int      `json:"conv_size"`
	LowerBound  bool     `json:"use_lower_bound"`

	inner  int
	bounds [][]float32 // of each layer's forget gates
}

func newHGRN(_ string, config []byte, p nn.Params) (*Model, error) {
	return buildFLA(config, p, flaDefaults(), &hgrnCell{Taps: 4, LowerBound: true})
}

func (c *hgrnCell) validate(is *checks, sh *flaConfig) {
	ratio := firstOf(c.ExpandRatio)
	is.Positive("expand_ratio", ratio)
	c.inner = int(min(float64(sh.Width)*ratio, 1e9))
	is.Between("expand_ratio · hidden_size", c.inner, 1, maxWidth)
	is.taps(c.Taps)
}

func (c *hgrnCell) body(p nn.Params, sh *flaConfig) {
	c.bounds = lowerBounds(p, c.LowerBound, sh.Layers, c.inner)
}

// lowerBounds returns the lower bounds of every layer's forget gates; nil where they are 0.
func lowerBounds(p nn.Params, use bool, layers, width int) [][]float32 {
	bounds := make([][]float32, layers)
	if use {
		bounds = nn.LowerBounds(p.Vec("lower_bounds", layers, width), layers)
		bounds[0] = nil
	}
	return bounds
}

func (c *hgrnCell) mixer(p nn.Params, sh *flaConfig, layer int) nn.Mixer {
	d, rec := c.inner, &nn.HGRN{Channels: c.inner, Lower: c.bounds[layer]}
	if c.ShortConv {
		for i, n := range []string{"f_conv1d.weight", "i_conv1d.weight"} {
			rec.Conv[i] = nn.NewShortConv(p.Vec(n, d, 1, c.Taps), nn.HGRNBlock, c.Taps)
		}
	}
	return &nn.Recurrent{
		Rec: rec,
		In:  p.Linear(p.Tensor("f_proj.weight", d, sh.Width), p.Tensor("i_proj.weight", d, sh.Width), p.Tensor("g_proj.weight", d, sh.Width)),
		Output: nn.Output{
			Norm: sh.affineNorm(p, "g_norm.weight", d, sh.Eps), After: nn.SiLU,
			Proj: p.High().Linear(p.Tensor("o_proj.weight", sh.Width, d)),
		},
	}
}
