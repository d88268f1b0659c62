package models

import "github.com/mminfer/mminfer/nn"

// rwkv6Cell is the mixing of rwkv6.
type rwkv6Cell struct {
	Heads    int     `json:"num_heads"`
	ExpandK  float64 `json:"expand_k"`
	ExpandV  float64 `json:"expand_v"`
	Rank     int     `json:"proj_low_rank_dim"`
	GateRank int     `json:"gate_low_rank_dim"`

	dimK, dimV int
}

func newRWKV6(_ string, config []byte, p nn.Params) (*Model, error) {
	return buildRWKV(config, p, rwkvDefaults(3.5), &rwkv6Cell{Heads: 4, ExpandK: 0.5, ExpandV: 1, Rank: 32, GateRank: 64})
}

func (c *rwkv6Cell) validate(is *checks, sh *rwkvConfig) {
	is.Between("num_heads", c.Heads, 1, maxHeads)
	is.Between("proj_low_rank_dim", c.Rank, 1, maxWidth)
	is.Between("gate_low_rank_dim", c.GateRank, 1, maxWidth)
	c.dimK, c.dimV = is.headDim("expand_k", sh.Width, c.ExpandK, c.Heads), is.headDim("expand_v", sh.Width, c.ExpandV, c.Heads)
}

func (c *rwkv6Cell) timeMix(p nn.Params, sh *rwkvConfig, _ int) nn.Mixer {
	d, k, v := sh.Width, c.Heads*c.dimK, c.Heads*c.dimV
	m := &nn.RWKV6{
		Heads: c.Heads, KeyDim: c.dimK, ValueDim: c.dimV,
		Mu:         p.Vec("x_proj.0.mu", d),
		Low:        p.Exact(p.Tensor("x_proj.0.linear.weight", 5*c.Rank, d)),
		Receptance: p.Linear(p.Tensor("r_proj.linear.weight", k, d)),
		Key:        p.Linear(p.Tensor("k_proj.linear.weight", k, d)),
		Value:      p.Linear(p.Tensor("v_proj.linear.weight", v, d)),
		Gate:       p.Linear(p.Tensor("g_proj.linear.weight", v, d)),
		Out:        p.High().Linear(p.Tensor("o_proj.weight", d, v)),
		Decay:      lowRank(p.Sub("w_proj.linear"), k, c.GateRank, d, nn.Tanh, true),
		Bonus:      p.Vec("bonus", c.Heads, c.dimK),
		Norm:       groupNorm(p, v, sh.Eps),
	}
	high, bias := p.Tensor("x_proj.2.weight", d, 5*c.Rank), p.Vec("x_bias", 5, d)
	for i := range m.High {
		m.High[i] = p.Exact(columns(high, i*c.Rank, (i+1)*c.Rank))
		if bias != nil {
			m.MixBias[i] = bias[i*d : (i+1)*d]
		}
	}
	return m
}

func (c *rwkv6Cell) channelMix(p nn.Params, sh *rwkvConfig) nn.Mixer {
	d := sh.Width
	return &nn.ChannelMix{
		MuK: p.Vec("key.mu", d), MuR: p.Vec("receptance.mu", d),
		Key:        p.Linear(p.Tensor("key.linear.weight", sh.inner(), d)),
		Receptance: p.Linear(p.Tensor("receptance.linear.weight", d, d)),
		Value:      p.Linear(p.Tensor("value.weight", d, sh.inner())),
	}
}
