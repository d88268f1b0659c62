package models

import (
	"encoding/json"

	"github.com/mminfer/mminfer/nn"
)

// rwkv7Cell is the mixing of rwkv7.
type rwkv7Cell struct {
	HeadDim   *int        `json:"head_dim"`
	Heads     *int        `json:"num_heads"`
	ValueDim  valueWidths `json:"value_dim"`
	DecayRank int         `json:"decay_low_rank_dim"`
	GateRank  int         `json:"gate_low_rank_dim"`
	RateRank  int         `json:"a_low_rank_dim"`
	LeanRank  int         `json:"v_low_rank_dim"`
	FuseNorm  bool        `json:"fuse_norm"`

	heads, dim int
}

// valueWidths is the key value_dim: null, a number, or one for each layer.
type valueWidths []int

// UnmarshalJSON reads null, a number or a list of numbers.
func (v *valueWidths) UnmarshalJSON(data []byte) error {
	if data[0] == '[' || string(data) == "null" {
		return json.Unmarshal(data, (*[]int)(v))
	}
	*v = make([]int, 1)
	return json.Unmarshal(data, &(*v)[0])
}

func newRWKV7(_ string, config []byte, p nn.Params) (*Model, error) {
	dim := 64
	return buildRWKV(config, p, rwkvDefaults(4), &rwkv7Cell{
		HeadDim: &dim, DecayRank: 64, GateRank: 128, RateRank: 64, LeanRank: 16, FuseNorm: true,
	})
}

func (c *rwkv7Cell) validate(is *checks, sh *rwkvConfig) {
	for _, v := range c.ValueDim {
		is.That(v == sh.Width, "value_dim: found %d, expected the width of the model, %d", v, sh.Width)
	}
	switch {
	case c.HeadDim != nil:
		is.Between("head_dim", *c.HeadDim, 1, sh.Width)
		if c.dim = *c.HeadDim; c.dim > 0 {
			c.heads = sh.Width / c.dim
		}
	case c.Heads != nil:
		is.Between("num_heads", *c.Heads, 1, sh.Width)
		if c.heads = *c.Heads; c.heads > 0 {
			c.dim = sh.Width / c.heads
		}
	default:
		is.That(false, "head_dim: found null, as is num_heads; expected one of them")
	}
	is.That(c.heads*c.dim == sh.Width, "head_dim: %d heads of %d do not fill the width of %d", c.heads, c.dim, sh.Width)
	is.Between("decay_low_rank_dim", c.DecayRank, 1, maxWidth)
	is.Between("gate_low_rank_dim", c.GateRank, 1, maxWidth)
	is.Between("a_low_rank_dim", c.RateRank, 1, maxWidth)
	is.Between("v_low_rank_dim", c.LeanRank, 1, maxWidth)
}

func (c *rwkv7Cell) timeMix(p nn.Params, sh *rwkvConfig, layer int) nn.Mixer {
	d := sh.Width
	m := &nn.RWKV7{
		Heads: c.heads, Dim: c.dim, First: layer == 0, Mu: mixes(p, d),
		Receptance: p.Linear(p.Tensor("r_proj.weight", d, d)),
		Key:        p.Linear(p.Tensor("k_proj.weight", d, d)),
		Value:      p.Linear(p.Tensor("v_proj.weight", d, d)),
		Out:        p.High().Linear(p.Tensor("o_proj.weight", d, d)),
		Decay:      lowRank(p.Sub("w_lora"), d, c.DecayRank, d, nn.Tanh, true),
		Rate:       lowRank(p.Sub("a_lora"), d, c.RateRank, d, nn.Identity, true),
		Gate:       lowRank(p.Sub("g_lora"), d, c.GateRank, d, nn.Sigmoid, false),
		KeyScale:   p.Vec("k_k", d), KeyRate: p.Vec("k_a", d), Bonus: p.Vec("r_k", c.heads, c.dim),
		Norm:  groupNorm(p, d, float64(c.dim)*sh.Eps),
		L2Eps: 1e-6,
	}
	if !c.FuseNorm {
		m.L2Eps = 1e-24 // the reference then divides by max(|x|, 1e-12)
	}
	if layer > 0 {
		m.Lean = lowRank(p.Sub("v_lora"), d, c.LeanRank, d, nn.Identity, true)
	}
	return m
}

// mixes takes how much of the token before r, w, k, v, a and g see: six tensors or, in older
// files, one.
func mixes(p nn.Params, d int) (mu [6][]float32) {
	if p.Has("x_x") {
		if all := p.Vec("x_x", 6, d); all != nil {
			for i := range mu {
				mu[i] = all[i*d : (i+1)*d]
			}
		}
		return mu
	}
	for i, n := range []string{"x_r", "x_w", "x_k", "x_v", "x_a", "x_g"} {
		mu[i] = p.Vec(n, 1, 1, d)
	}
	return mu
}

func (c *rwkv7Cell) channelMix(p nn.Params, sh *rwkvConfig) nn.Mixer {
	return &nn.ChannelMix{
		MuK:   p.Vec("x_k", sh.Width),
		Key:   p.Linear(p.Tensor("key.weight", sh.inner(), sh.Width)),
		Value: p.Linear(p.Tensor("value.weight", sh.Width, sh.inner())),
	}
}
