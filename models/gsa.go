package models

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// gsaCell is the mixer of gsa: gated slot attention.
type gsaCell struct {
	Heads      int      `json:"num_heads"`
	KVHeads    *int     `json:"num_kv_heads"`
	Slots      *int     `json:"num_slots"`
	ExpandK    *float64 `json:"expand_k"`
	ExpandV    *float64 `json:"expand_v"`
	MisspeltK  *float64 `json:"exapnd_k"` // what the reference's constructor calls expand_k
	MisspeltV  *float64 `json:"exapnd_v"`
	Map        string   `json:"feature_map"`
	Normalizer float64  `json:"gate_logit_normalizer"`
	ShortConv  bool     `json:"use_short_conv"`
	Taps       int      `json:"conv_size"`

	grouped
	slots int
}

func newGSA(_ string, config []byte, p nn.Params) (*Model, error) {
	sh := flaDefaults()
	sh.NormFirst = p.Has("model.layers.0.mlp.norm.weight") && !p.Has("model.layers.0.attn_norm.weight")
	return buildFLA(config, p, sh, gsaDefaults())
}

func gsaDefaults() *gsaCell {
	slots := 64
	return &gsaCell{Heads: 4, Slots: &slots, Map: "swish", Normalizer: 8, Taps: 4}
}

// firstOf returns the first value that is there, 1 if none is.
func firstOf(values ...*float64) float64 {
	for _, v := range values {
		if v != nil {
			return *v
		}
	}
	return 1
}

func (c *gsaCell) validate(is *checks, sh *flaConfig) {
	k, v := firstOf(c.ExpandK, c.MisspeltK), firstOf(c.ExpandV, c.MisspeltV)
	c.grouped = is.group(sh.Width, c.Heads, c.KVHeads, k, v)
	if c.slots = c.dimK; c.Slots != nil {
		c.slots = *c.Slots
	}
	is.Between("num_slots", c.slots, 1, maxWidth)
	is.taps(c.Taps)
	is.Positive("gate_logit_normalizer", c.Normalizer)
	is.activation("feature_map", c.Map, "swish", "silu", "relu", "t2r")
	is.That(v == 1, "expand_v: found %v, expected 1: the norm is over the model's width", v)
	is.That(!c.ShortConv || c.Map != "t2r", "use_short_conv: found true with the feature map t2r, which is not supported")
}

// mixerNorm is the norm inside the mixer of older files.
func (*gsaCell) mixerNorm() string { return "attn.norm.weight" }

func (c *gsaCell) mixer(p nn.Params, sh *flaConfig, _ int) nn.Mixer { return recurrent(c, p, sh) }

func (c *gsaCell) recurrence(p nn.Params, sh *flaConfig) nn.Recurrence {
	m := &nn.GSA{
		Heads: c.heads, KVHeads: c.kv, KeyDim: c.dimK, ValueDim: c.dimV, Slots: c.slots,
		Map: featureMap(p.Sub("feature_map"), c.Map, c.dimK), Normalizer: float32(c.Normalizer),
	}
	if c.ShortConv {
		q, k, v := c.sizes(sh)
		m.Conv = shortConvs(p, qkv, [3]int{q, k, v}, [3]int{c.dimK, c.dimK, c.dimV}, c.Taps)
	}
	return m
}

func (c *gsaCell) rates(p nn.Params, name naming, sh *flaConfig) nn.Rates {
	return nn.Rates{Direct: p.Exact(p.Tensor(name("f", ".weight"), c.kv*c.slots, sh.Width))}
}

// output normalises with the epsilon that the reference has built in, whatever norm_eps says.
func (c *gsaCell) output(p nn.Params, sh *flaConfig) (nn.Output, []tensor.Tensor) {
	return nn.Output{
		Before: nn.SiLU, Norm: sh.affineNorm(p, "g_norm.weight", sh.Width, 1e-5),
		Proj: p.High().Linear(p.Tensor("o_proj.weight", sh.Width, sh.Width)),
	}, nil
}
