package models

import "github.com/mminfer/mminfer/nn"

// mambaHeads are the keys about Mamba-2 layers that several hybrids share.
type mambaHeads struct {
	SSMHeads   int       `json:"mamba_n_heads"`
	SSMHeadDim autoSize  `json:"mamba_d_head"`
	SSMGroups  int       `json:"mamba_n_groups"`
	SSMState   int       `json:"mamba_d_state"`
	SSMTaps    int       `json:"mamba_d_conv"`
	SSMExpand  float64   `json:"mamba_expand"`
	ConvBias   bool      `json:"mamba_conv_bias"`
	ProjBias   bool      `json:"mamba_proj_bias"`
	Limit      timeLimit `json:"time_step_limit"`
}

// mambaHeadsDefaults are the values of absent keys, on which the families agree.
func mambaHeadsDefaults() mambaHeads {
	return mambaHeads{SSMHeads: 128, SSMGroups: 1, SSMState: 256, SSMTaps: 4, SSMExpand: 2, ConvBias: true, Limit: noLimit}
}

// dual returns the sizes of the layers, of the given width within, or of what mamba_expand gives
// where that is 0.
func (c *mambaHeads) dual(width, inner int, eps float64, is *checks) *dual {
	is.Positive("mamba_expand", c.SSMExpand)
	if inner == 0 && is.Err() == nil {
		inner = int(min(c.SSMExpand*float64(width), 16*maxWidth))
	}
	s := &dual{
		width: width, heads: c.SSMHeads, headDim: int(c.SSMHeadDim), groups: c.SSMGroups, state: c.SSMState, taps: c.SSMTaps,
		bias: c.ProjBias, outBias: c.ProjBias, convBias: c.ConvBias, norm: true, eps: eps, limit: c.Limit,
	}
	if s.headDim == 0 {
		s.headDim = inner / max(1, s.heads)
	}
	s.validate(is)
	is.That(s.inner() == inner, "mamba_n_heads: %d heads of %d are not the inner width %d", s.heads, s.headDim, inner)
	return s
}

// hybridNames are the names of the tensors around the layers of several hybrids.
var hybridNames = names{"model", "embed_tokens.weight", "final_layernorm.weight", "lm_head.weight"}

// feedForward is an MLP block of the names of several hybrids.
func (c *decoder) feedForward(q nn.Params, mlp nn.Mixer) nn.Block {
	return nn.Block{Norm: rmsNorm(q, "pre_ff_layernorm.weight", c.Width, c.Eps), Mixer: mlp}
}

// bambaConfig is the configuration of a Bamba.
type bambaConfig struct {
	decoder
	mambaHeads
	Attention     []int `json:"attn_layer_indices"`
	Rotary        *int  `json:"attn_rotary_emb"`
	AttentionBias bool  `json:"attention_bias"`
	MLPBias       bool  `json:"mlp_bias"`
}

func (c *bambaConfig) validate() (*dual, error) {
	var is checks
	c.decoder.validate(&is, "mamba", "attention")
	for _, l := range c.Attention {
		if is.Between("attn_layer_indices", l, 0, c.Layers-1); l >= 0 && l < len(c.Types) {
			c.Types[l] = "attention"
		}
	}
	dims := c.dims(c.headDim())
	is.That(c.Rotary == nil || *c.Rotary == dims, "attn_rotary_emb: found %d; the reference rotates partial_rotary_factor of a head, %d dimensions", deref(c.Rotary), dims)
	return c.dual(c.Width, 0, c.Eps, &is), is.Err()
}

// newBamba builds a Bamba: Mamba-2 layers with some of attention, each before an MLP.
func newBamba(_ string, config []byte, p nn.Params) (*Model, error) {
	c := bambaConfig{decoder: decoderDefaults(), mambaHeads: mambaHeadsDefaults()}
	c.Vocab, c.Inner, c.KVHeads, c.Eps, c.Partial = 128000, 14336, new(8), 1e-5, 0.5
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	mamba, err := c.validate()
	if err != nil {
		return nil, err
	}
	rope := c.build(c.headDim())
	return c.model(p, hybridNames, rmsNorm, func(q nn.Params, l int) []nn.Block {
		b := nn.Block{Norm: rmsNorm(q, "input_layernorm.weight", c.Width, c.Eps)}
		if c.Types[l] == "attention" {
			b.Mixer = c.attention(q.Sub("self_attn"), rope, c.AttentionBias, c.AttentionBias)
		} else {
			b.Mixer = mamba.build(q.Sub("mamba"))
		}
		return []nn.Block{b, c.feedForward(q, c.mlp(q.Sub("feed_forward"), c.MLPBias))}
	}), nil
}
