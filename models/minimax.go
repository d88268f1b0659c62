package models

import (
	"slices"

	"github.com/mminfer/mminfer/nn"
)

// minimaxConfig is the configuration of a MiniMax-Text-01: lightning attention, softmax attention in
// some layers, and experts; or that of its original files, whose factors have other names.
type minimaxConfig struct {
	decoder
	RotaryDim *int `json:"rotary_dim"`
	Experts   int  `json:"num_local_experts"`
	TopK      int  `json:"num_experts_per_tok"`
	Window    *int `json:"sliding_window"`
	PostNorm  bool `json:"postnorm"`
	Shared    *int `json:"shared_intermediate_size"`

	LinearAlpha float64 `json:"linear_attn_alpha_factor"`
	LinearBeta  float64 `json:"linear_attn_beta_factor"`
	FullAlpha   float64 `json:"full_attn_alpha_factor"`
	FullBeta    float64 `json:"full_attn_beta_factor"`
	MLPAlpha    float64 `json:"mlp_alpha_factor"`
	MLPBeta     float64 `json:"mlp_beta_factor"`

	OldTypes       []int    `json:"attn_type_list"` // 0: lightning, 1: softmax
	OldLinearAlpha *float64 `json:"layernorm_linear_attention_alpha"`
	OldLinearBeta  *float64 `json:"layernorm_linear_attention_beta"`
	OldFullAlpha   *float64 `json:"layernorm_full_attention_alpha"`
	OldFullBeta    *float64 `json:"layernorm_full_attention_beta"`
	OldMLPAlpha    *float64 `json:"layernorm_mlp_alpha"`
	OldMLPBeta     *float64 `json:"layernorm_mlp_beta"`
}

// rename moves the values of the original keys to those of the new.
func (c *minimaxConfig) rename() {
	for _, f := range []struct {
		to   *float64
		from *float64
	}{
		{&c.LinearAlpha, c.OldLinearAlpha}, {&c.LinearBeta, c.OldLinearBeta}, {&c.FullAlpha, c.OldFullAlpha},
		{&c.FullBeta, c.OldFullBeta}, {&c.MLPAlpha, c.OldMLPAlpha}, {&c.MLPBeta, c.OldMLPBeta},
	} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	for _, t := range c.OldTypes {
		if len(c.Types) < len(c.OldTypes) {
			c.Types = append(c.Types, []string{"linear_attention", "full_attention"}[min(max(t, 0), 1)])
		}
	}
	if c.RotaryDim != nil && c.headDim() > 0 {
		c.Partial = float64(*c.RotaryDim) / float64(c.headDim())
	}
}

func (c *minimaxConfig) validate() error {
	var is checks
	is.That(c.Types != nil, "layer_types: missing")
	is.That(!slices.ContainsFunc(c.OldTypes, func(t int) bool { return t != 0 && t != 1 }), "attn_type_list: expected a list of 0 and 1")
	c.decoder.validate(&is, "full_attention", "linear_attention")
	is.experts("num_local_experts", c.Experts, "num_experts_per_tok", c.TopK)
	is.That(c.Window == nil, "sliding_window: found %d, expected null", deref(c.Window))
	is.That(c.PostNorm, "postnorm: found false, expected true")
	is.That(deref(c.Shared) == 0, "shared_intermediate_size: found %d, expected 0; a shared expert is not supported", deref(c.Shared))
	for _, v := range []float64{c.LinearAlpha, c.LinearBeta, c.FullAlpha, c.FullBeta, c.MLPAlpha, c.MLPBeta} {
		is.Positive("alpha and beta factors", v)
	}
	return is.Err()
}

// newMiniMax builds a MiniMax. Its branches start from, and are added to, the normalised stream.
func newMiniMax(_ string, config []byte, p nn.Params) (*Model, error) {
	c := minimaxConfig{
		decoder: decoderDefaults(), Experts: 8, TopK: 2, PostNorm: true,
		LinearAlpha: 1, LinearBeta: 1, FullAlpha: 1, FullBeta: 1, MLPAlpha: 1, MLPBeta: 1,
	}
	c.Inner, c.KVHeads, c.Theta, c.Eps = 14336, new(8), 1e6, 1e-5
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	c.rename()
	if err := c.validate(); err != nil {
		return nil, err
	}
	rope := c.build(c.headDim())
	return c.model(p, transformers, rmsNorm, func(q nn.Params, l int) []nn.Block {
		a := q.Sub("self_attn")
		var mixer nn.Mixer
		alpha, beta := c.LinearAlpha, c.LinearBeta
		if c.Types[l] == "full_attention" {
			mixer, alpha, beta = c.attention(a, rope, false, false), c.FullAlpha, c.FullBeta
		} else {
			mixer = c.lightning(a, l)
		}
		experts := moe(q.Sub("block_sparse_moe"), letterNames, c.Experts, c.Width, c.Inner, nn.Routing{TopK: c.TopK, Chosen: true})
		blocks := c.layer(q, rmsNorm, mixer, experts)
		blocks[0].Keep, blocks[0].Scale = float32(alpha), float32(beta)
		blocks[1].Keep, blocks[1].Scale = float32(c.MLPAlpha), float32(c.MLPBeta)
		return blocks
	}), nil
}

// lightning takes a lightning attention, whose projection holds, for each head, a query, a key and
// a value. Its norm is over all heads and has an epsilon of its own; the decays grow slower with the
// layer, and what files hold of them is not used.
func (c *minimaxConfig) lightning(p nn.Params, layer int) *nn.Recurrent {
	const eps = 1e-6
	d, n := c.headDim(), c.Heads*c.headDim()
	p.Drop("slope_rate", "query_decay", "key_decay", "diagonal_decay")
	qkv := p.Tensor("qkv_proj.weight", 3*n, c.Width)
	in := slices.Concat(pick(qkv, c.Heads, 0, d), pick(qkv, c.Heads, d, 2*d), pick(qkv, c.Heads, 2*d, 3*d))
	factor := 1 - float64(layer)/(float64(c.Layers-1)+1e-5) + 1e-5
	return &nn.Recurrent{
		Rec: &nn.Retention{
			Heads: c.Heads, KVHeads: c.Heads, KeyDim: d, ValueDim: d, Decay: nn.LightningDecays(c.Heads, factor), Scale: 1,
			Act: nn.SiLU, ValueAct: nn.SiLU,
		},
		In:     p.Linear(append(in, p.Tensor("output_gate.weight", n, c.Width))...),
		Output: nn.Output{Norm: rmsNorm(p, "norm.weight", n, eps), After: nn.Sigmoid, Proj: p.High().Linear(p.Tensor("out_proj.weight", c.Width, n))},
	}
}
