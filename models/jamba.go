package models

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
)

// jambaConfig is the configuration of a Jamba.
type jambaConfig struct {
	decoder
	AttentionPeriod int      `json:"attn_layer_period"`
	AttentionOffset int      `json:"attn_layer_offset"`
	ExpertPeriod    int      `json:"expert_layer_period"`
	ExpertOffset    int      `json:"expert_layer_offset"`
	Experts         int      `json:"num_experts"`
	TopK            int      `json:"num_experts_per_tok"`
	State           int      `json:"mamba_d_state"`
	Taps            int      `json:"mamba_d_conv"`
	Expand          float64  `json:"mamba_expand"`
	Rank            autoSize `json:"mamba_dt_rank"`
	ConvBias        bool     `json:"mamba_conv_bias"`
	ProjBias        bool     `json:"mamba_proj_bias"`
}

func (c *jambaConfig) validate() (*selective, error) {
	var is checks
	c.noRope = true
	c.decoder.validate(&is, "mamba", "attention")
	is.Between("attn_layer_period", c.AttentionPeriod, 1, 1<<20)
	is.Between("attn_layer_offset", c.AttentionOffset, 0, max(0, c.AttentionPeriod-1))
	is.Between("expert_layer_period", c.ExpertPeriod, 1, 1<<20)
	is.Between("expert_layer_offset", c.ExpertOffset, 0, max(0, c.ExpertPeriod-1))
	is.Between("num_experts", c.Experts, 1, maxHeads)
	is.That(c.Experts <= 1 || c.TopK >= 1 && c.TopK <= c.Experts, "num_experts_per_tok: found %d, expected 1 to %d", c.TopK, c.Experts)
	is.Positive("mamba_expand", c.Expand)
	s := &selective{
		width: c.Width, inner: int(min(c.Expand*float64(c.Width), 1<<40)), state: c.State, rank: c.Rank.rank(c.Width), taps: c.Taps,
		bias: c.ProjBias, convBias: c.ConvBias, normEps: c.Eps,
	}
	if is.Err() == nil {
		s.validate(&is)
	}
	return s, is.Err()
}

// newJamba builds a Jamba: Mamba-1 layers with some of attention without positions, before MLPs
// or mixtures of experts.
func newJamba(_ string, config []byte, p nn.Params) (*Model, error) {
	c := jambaConfig{
		decoder: decoderDefaults(), AttentionPeriod: 8, AttentionOffset: 4, ExpertPeriod: 2, ExpertOffset: 1, Experts: 16, TopK: 2,
		State: 16, Taps: 4, Expand: 2, ConvBias: true,
	}
	c.Vocab, c.Inner, c.KVHeads = 65536, 14336, new(8)
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	mamba, err := c.validate()
	if err != nil {
		return nil, err
	}
	return c.model(p, hybridNames, rmsNorm, func(q nn.Params, l int) []nn.Block {
		b := nn.Block{Norm: rmsNorm(q, "input_layernorm.weight", c.Width, c.Eps)}
		if l%c.AttentionPeriod == c.AttentionOffset {
			b.Mixer = c.attention(q.Sub("self_attn"), nil, false, false)
		} else {
			b.Mixer = mamba.build(q.Sub("mamba"))
		}
		return []nn.Block{b, c.feedForward(q, c.mixture(q.Sub("feed_forward"), l))}
	}), nil
}

// mixture takes the MLP of a layer, or its experts.
func (c *jambaConfig) mixture(p nn.Params, layer int) nn.Mixer {
	if c.Experts == 1 || layer%c.ExpertPeriod != c.ExpertOffset {
		return c.mlp(p, false)
	}
	m := &nn.MoE{Router: p.Exact(p.Tensor("router.weight", c.Experts, c.Width)), Routing: nn.Routing{TopK: c.TopK}}
	for e := range c.Experts {
		m.Experts = append(m.Experts, c.mlp(p.Sub(fmt.Sprintf("experts.%d", e)), false))
	}
	return m
}
