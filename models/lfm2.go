package models

import (
	"math"

	"github.com/mminfer/mminfer/nn"
)

// lfm2Config is the configuration of an LFM2: gated short convolutions and attention.
type lfm2Config struct {
	decoder
	NormEps      float64 `json:"norm_eps"`
	TieEmbedding *bool   `json:"tie_embedding"` // older name of tie_word_embeddings
	Taps         int     `json:"conv_L_cache"`
	ConvBias     bool    `json:"conv_bias"`
	AttentionAt  []int   `json:"full_attn_idxs"` // older form of layer_types
	BlockInner   *int    `json:"block_ff_dim"`   // older name of intermediate_size
	AutoAdjust   bool    `json:"block_auto_adjust_ff_dim"`
	Multiplier   float64 `json:"block_ffn_dim_multiplier"`
	MultipleOf   int     `json:"block_multiple_of"`
	BlockDim     *int    `json:"block_dim"`
	ConvDim      *int    `json:"conv_dim"`
	ConvDimOut   *int    `json:"conv_dim_out"`
	UseSwiGLU    *bool   `json:"block_use_swiglu"`
}

func (c *lfm2Config) validate() error {
	var is checks
	c.Eps = c.NormEps
	if c.TieEmbedding != nil {
		c.Tied = *c.TieEmbedding
	}
	if c.Types == nil && c.AttentionAt != nil && c.Layers >= 1 && c.Layers <= maxLayers {
		for range c.Layers {
			c.Types = append(c.Types, "conv")
		}
		for _, l := range c.AttentionAt {
			if is.Between("full_attn_idxs", l, 0, c.Layers-1); l >= 0 && l < c.Layers {
				c.Types[l] = "full_attention"
			}
		}
	}
	c.decoder.validate(&is, "full_attention", "conv")
	is.Between("conv_L_cache", c.Taps, 1, 256)
	for _, n := range []*int{c.BlockDim, c.ConvDim, c.ConvDimOut} {
		is.That(n == nil || *n == c.Width, "block_dim, conv_dim, conv_dim_out: found %d, expected hidden_size %d", deref(n), c.Width)
	}
	is.That(c.UseSwiGLU == nil || *c.UseSwiGLU, "block_use_swiglu: found false, expected true")
	is.Between("block_multiple_of", c.MultipleOf, 1, maxWidth)
	is.Positive("block_ffn_dim_multiplier", c.Multiplier)
	if is.Err() == nil {
		is.Between("block_ff_dim", c.inner(), 1, 16*maxWidth)
	}
	return is.Err()
}

// inner is the width of the MLP.
func (c *lfm2Config) inner() int {
	n := c.Inner
	if c.BlockInner != nil {
		n = *c.BlockInner
	}
	if c.AutoAdjust {
		n = int(math.Min(c.Multiplier*float64(2*n/3), 1e9))
		n = (n + c.MultipleOf - 1) / c.MultipleOf * c.MultipleOf
	}
	return n
}

// newLFM2 builds an LFM2.
func newLFM2(_ string, config []byte, p nn.Params) (*Model, error) {
	c := lfm2Config{decoder: decoderDefaults(), NormEps: 1e-5, Taps: 3, AutoAdjust: true, Multiplier: 1, MultipleOf: 256}
	c.Width, c.Inner, c.Vocab, c.KVHeads, c.Theta, c.MaxPositions, c.Tied = 2560, 12288, 65536, new(8), 1e6, 128000, true
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	rope := c.build(c.headDim())
	n := transformers
	n.norm = "embedding_norm.weight" // applied at the end all the same
	return c.model(p, n, rmsNorm, func(q nn.Params, l int) []nn.Block {
		var mixer nn.Mixer
		if c.Types[l] == "conv" {
			mixer = c.conv(q.Sub("conv"))
		} else {
			mixer = c.attention(q.Sub("self_attn"), rope)
		}
		inner := q.Rows("feed_forward.w1.weight") // what the rule gives is only a width to expect
		if inner == 0 {
			inner = c.inner()
		}
		return []nn.Block{
			{Norm: rmsNorm(q, "operator_norm.weight", c.Width, c.Eps), Mixer: mixer},
			{Norm: rmsNorm(q, "ffn_norm.weight", c.Width, c.Eps), Mixer: swiglu(q.Sub("feed_forward"), false, c.Width, inner, "w1", "w3", "w2")},
		}
	}), nil
}

// attention takes the attention, whose output projection and norms have names of their own.
func (c *lfm2Config) attention(p nn.Params, rope *nn.Rope) *nn.Attention {
	d, kv := c.headDim(), c.kvHeads()*c.headDim()
	return &nn.Attention{
		Heads: c.Heads, KVHeads: c.kvHeads(), Dim: d, Rope: rope,
		QNorm: rmsNorm(p, "q_layernorm.weight", d, c.Eps), KNorm: rmsNorm(p, "k_layernorm.weight", d, c.Eps),
		QKV: stack(p, false, c.Width, part{"q_proj", c.Heads * d}, part{"k_proj", kv}, part{"v_proj", kv}),
		Out: stack(p, false, c.Heads*d, part{"out_proj", c.Width}),
	}
}

// conv takes a gated convolution.
func (c *lfm2Config) conv(p nn.Params) *nn.GatedConv {
	m := &nn.GatedConv{
		Channels: c.Width, Taps: c.Taps,
		In:  stack(p, c.ConvBias, c.Width, part{"in_proj", 3 * c.Width}),
		Out: stack(p, c.ConvBias, c.Width, part{"out_proj", c.Width}),
	}
	var bias []float32
	if c.ConvBias {
		bias = p.Vec("conv.bias", c.Width)
	}
	m.SetFilters(p.Vec("conv.weight", c.Width, 1, c.Taps), bias)
	return m
}
