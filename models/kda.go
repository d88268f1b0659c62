package models

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// kdaCell is the mixer of kda: Kimi's delta attention. The key safe_gate chooses among the
// reference's kernels and changes no numbers.
type kdaCell struct {
	Heads               int      `json:"num_heads"`
	ValueHeads          *int     `json:"num_v_heads"`
	HeadDim             int      `json:"head_dim"`
	ExpandV             float64  `json:"expand_v"`
	ShortConv           bool     `json:"use_short_conv"`
	Taps                int      `json:"conv_size"`
	NegativeEigenvalues bool     `json:"allow_neg_eigval"`
	LowerBound          *float64 `json:"lower_bound"`

	values, dimV int
}

func newKDA(_ string, config []byte, p nn.Params) (*Model, error) {
	return buildFLA(config, p, flaDefaults(), &kdaCell{Heads: 16, HeadDim: 128, ExpandV: 1, ShortConv: true, Taps: 4})
}

func (c *kdaCell) validate(is *checks, _ *flaConfig) {
	c.values, c.dimV = is.valueHeads(c.Heads, c.ValueHeads, c.HeadDim, c.ExpandV)
	is.taps(c.Taps)
	is.That(c.LowerBound == nil || *c.LowerBound < 0 && *c.LowerBound > -1e6, "lower_bound: expected null or a negative log decay")
}

func (c *kdaCell) mixer(p nn.Params, sh *flaConfig, _ int) nn.Mixer {
	m := recurrent(c, p, sh)
	n := c.values * c.dimV
	m.Gate = nn.Rates{
		Low:  p.High().Linear(p.Tensor("g_proj.0.weight", c.dimV, sh.Width)),
		High: p.High().Linear(p.Tensor("g_proj.1.weight", n, c.dimV)),
		Bias: p.Vec("g_proj.1.bias", n),
	}
	return m
}

func (c *kdaCell) sizes(*flaConfig) (q, k, v int) {
	return c.Heads * c.HeadDim, c.Heads * c.HeadDim, c.values * c.dimV
}

func (c *kdaCell) recurrence(p nn.Params, sh *flaConfig) nn.Recurrence {
	m := &nn.KDA{
		Heads: c.values, KeyHeads: c.Heads, KeyDim: c.HeadDim, ValueDim: c.dimV, NegativeEigenvalues: c.NegativeEigenvalues,
		NegA: nn.NegExp(p.Vec("A_log", c.values)), DtBias: p.Vec("dt_bias", c.values*c.HeadDim),
	}
	if c.LowerBound != nil {
		m.LowerBound = float32(*c.LowerBound)
	}
	if c.ShortConv {
		q, k, v := c.sizes(sh)
		m.Conv = shortConvs(p, qkv, [3]int{q, k, v}, [3]int{c.HeadDim, c.HeadDim, c.dimV}, c.Taps)
	}
	return m
}

func (c *kdaCell) rates(p nn.Params, name naming, sh *flaConfig) nn.Rates {
	return nn.Rates{
		Low:    p.Exact(p.Tensor(name("f", ".0.weight"), c.dimV, sh.Width)),
		High:   p.Exact(p.Tensor(name("f", ".1.weight"), c.values*c.HeadDim, c.dimV)),
		Direct: p.Exact(p.Tensor(name("b", ".weight"), c.values, sh.Width)),
	}
}

func (c *kdaCell) output(p nn.Params, sh *flaConfig) (nn.Output, []tensor.Tensor) {
	out, _ := deltaOutput(p, sh, c.values, c.dimV, false, nn.Identity)
	out.After = nn.Sigmoid
	return out, nil
}
