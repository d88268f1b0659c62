package models

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// deltaNetCell is the mixer of delta_net: the delta rule. Its output is always normalised.
type deltaNetCell struct {
	Heads               int     `json:"num_heads"`
	ExpandK             float64 `json:"expand_k"`
	ExpandV             float64 `json:"expand_v"`
	Beta                bool    `json:"use_beta"`
	Gate                bool    `json:"use_gate"`
	ShortConv           bool    `json:"use_short_conv"`
	Taps                int     `json:"conv_size"`
	Act                 string  `json:"qk_activation"`
	Norm                string  `json:"qk_norm"`
	NegativeEigenvalues bool    `json:"allow_neg_eigval"`

	grouped
}

func newDeltaNet(_ string, config []byte, p nn.Params) (*Model, error) {
	return buildFLA(config, p, flaDefaults(), &deltaNetCell{
		Heads: 16, ExpandK: 1, ExpandV: 1, Beta: true, ShortConv: true, Taps: 4, Act: "silu", Norm: "l2",
	})
}

func (c *deltaNetCell) validate(is *checks, sh *flaConfig) {
	c.grouped = is.group(sh.Width, c.Heads, nil, c.ExpandK, c.ExpandV)
	is.taps(c.Taps)
	is.activation("qk_activation", c.Act, "silu", "relu", "elu", "identity")
	is.activation("qk_norm", c.Norm, "l2", "sum")
}

func (c *deltaNetCell) mixer(p nn.Params, sh *flaConfig, _ int) nn.Mixer { return recurrent(c, p, sh) }

func (c *deltaNetCell) recurrence(p nn.Params, sh *flaConfig) nn.Recurrence {
	m := &nn.DeltaNet{
		Heads: c.heads, KeyDim: c.dimK, ValueDim: c.dimV, Act: activations[c.Act], SumNorm: c.Norm == "sum",
		Beta: c.Beta, NegativeEigenvalues: c.NegativeEigenvalues,
	}
	if c.ShortConv {
		q, k, v := c.sizes(sh)
		m.Conv = shortConvs(p, qkv, [3]int{q, k, v}, [3]int{c.dimK, c.dimK, c.dimV}, c.Taps)
	}
	return m
}

func (c *deltaNetCell) rates(p nn.Params, name naming, sh *flaConfig) nn.Rates {
	if !c.Beta {
		return nn.Rates{}
	}
	return nn.Rates{Direct: p.Exact(p.Tensor(name("b", ".weight"), c.heads, sh.Width))}
}

func (c *deltaNetCell) output(p nn.Params, sh *flaConfig) (nn.Output, []tensor.Tensor) {
	return deltaOutput(p, sh, c.heads, c.dimV, c.Gate, nn.SiLU)
}

// deltaOutput makes the output of the delta rules: a norm over the values of a head, a gate if
// there is one, and a projection.
func deltaOutput(p nn.Params, sh *flaConfig, heads, dim int, gated bool, act nn.Activation) (nn.Output, []tensor.Tensor) {
	out := nn.Output{Norm: rmsNorm(p, "o_norm.weight", dim, sh.Eps), Proj: p.High().Linear(p.Tensor("o_proj.weight", sh.Width, heads*dim))}
	if !gated {
		return out, nil
	}
	out.After = act
	return out, []tensor.Tensor{p.Tensor("g_proj.weight", heads*dim, sh.Width)}
}
