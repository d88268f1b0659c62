package models

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// kimiConfig is the configuration of a Kimi Linear: Kimi's delta attention, latent attention
// without positions in some layers, and experts.
type kimiConfig struct {
	decoder
	KVRank    int           `json:"kv_lora_rank"`
	QRank     *int          `json:"q_lora_rank"`
	NopeDim   int           `json:"qk_nope_head_dim"`
	SharedDim int           `json:"qk_rope_head_dim"`
	ValueDim  int           `json:"v_head_dim"`
	NoRope    bool          `json:"mla_use_nope"`
	Linear    kimiLinearSet `json:"linear_attn_config"`

	Experts     int     `json:"num_experts"`
	TopK        int     `json:"num_experts_per_token"`
	Dense       int     `json:"first_k_dense_replace"` // layers before it have an MLP
	Every       int     `json:"moe_layer_freq"`
	ExpertInner int     `json:"moe_intermediate_size"`
	Shared      int     `json:"num_shared_experts"`
	Groups      int     `json:"num_expert_group"`
	TopGroups   int     `json:"topk_group"`
	Normalise   bool    `json:"moe_renormalize"`
	Scoring     string  `json:"moe_router_activation_func"`
	Factor      float64 `json:"routed_scaling_factor"`
}

// kimiLinearSet is linear_attn_config. Its layers count from 1.
type kimiLinearSet struct {
	KDA     []int `json:"kda_layers"`
	Full    []int `json:"full_attn_layers"`
	Heads   int   `json:"num_heads"`
	HeadDim int   `json:"head_dim"`
	Taps    int   `json:"short_conv_kernel_size"`
}

func (c *kimiConfig) validate() error {
	var is checks
	c.noRope = true
	c.layers(&is)
	is.Between("kv_lora_rank", c.KVRank, 1, maxWidth)
	is.That(c.QRank == nil, "q_lora_rank: found %d, expected null", deref(c.QRank))
	is.Between("qk_nope_head_dim", c.NopeDim, 1, maxWidth)
	is.Between("qk_rope_head_dim", c.SharedDim, 0, maxWidth)
	is.Between("v_head_dim", c.ValueDim, 1, maxWidth)
	is.That(c.NoRope, "mla_use_nope: found false; latent attention with positions is not supported")
	is.Between("linear_attn_config.num_heads", c.Linear.Heads, 1, maxHeads)
	is.Between("linear_attn_config.head_dim", c.Linear.HeadDim, 1, maxWidth)
	is.Between("linear_attn_config.short_conv_kernel_size", c.Linear.Taps, 1, 256)
	if c.Experts != 0 {
		is.experts("num_experts", c.Experts, "num_experts_per_token", c.TopK)
		is.Between("moe_layer_freq", c.Every, 1, maxLayers)
		is.Between("moe_intermediate_size", c.ExpertInner, 1, 16*maxWidth)
		is.Between("num_shared_experts", c.Shared, 0, maxHeads)
		is.Positive("routed_scaling_factor", c.Factor)
		is.That(c.Scoring == "sigmoid", "moe_router_activation_func: found %q, expected sigmoid", c.Scoring)
		is.groups(c.Experts, c.TopK, c.Groups, c.TopGroups)
	}
	return is.Err()
}

// layers turns the two lists of layers into layer_types.
func (c *kimiConfig) layers(is *checks) {
	is.Between("num_hidden_layers", c.Layers, 1, maxLayers)
	if is.Err() != nil {
		return
	}
	c.Types = make([]string, c.Layers)
	name := func(kind string, list []int) {
		for _, l := range list {
			is.Between("linear_attn_config: layer", l, 1, c.Layers)
			if l >= 1 && l <= c.Layers {
				is.That(c.Types[l-1] == "", "linear_attn_config: layer %d is listed twice", l)
				c.Types[l-1] = kind
			}
		}
	}
	name("kda", c.Linear.KDA)
	name("full", c.Linear.Full)
	c.decoder.validate(is, "kda", "full")
}

// groups checks the groups of a router.
func (c *checks) groups(experts, chosen, groups, top int) {
	c.Between("num_expert_group", groups, 1, experts)
	c.Between("topk_group", top, 1, max(1, groups))
	c.That(groups < 1 || experts%groups == 0, "num_expert_group: %d groups do not divide %d experts", groups, experts)
	c.That(groups < 1 || chosen <= experts/groups*top, "num_experts_per_token: found %d, more than %d groups hold", chosen, top)
}

// newKimiLinear builds a Kimi Linear.
func newKimiLinear(_ string, config []byte, p nn.Params) (*Model, error) {
	c := kimiConfig{decoder: decoderDefaults(), NoRope: true, Every: 1, Groups: 1, TopGroups: 1, Normalise: true, Scoring: "sigmoid", Factor: 1}
	c.Linear.Taps = 4
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	return c.model(p, transformers, rmsNorm, func(q nn.Params, l int) []nn.Block {
		var mixer nn.Mixer
		if c.Types[l] == "full" {
			mixer = c.latent(q.Sub("self_attn"))
		} else {
			mixer = c.kda(q.Sub("self_attn"))
		}
		return c.layer(q, rmsNorm, mixer, c.mlp(q, l))
	}), nil
}

// mlp takes the MLP or the experts of layer l. An MLP may bear the experts' name.
func (c *kimiConfig) mlp(p nn.Params, l int) nn.Mixer {
	experts := p.Sub("block_sparse_moe")
	if c.Experts == 0 || l < c.Dense || l%c.Every != 0 {
		if experts.Has("gate_proj.weight") {
			return c.decoder.mlp(experts, false)
		}
		return c.decoder.mlp(p.Sub("mlp"), false)
	}
	sigmoid := &nn.SigmoidRouting{Groups: c.Groups, TopGroups: c.TopGroups, Normalize: c.Normalise, Correction: experts.Vec("gate.e_score_correction_bias", c.Experts)}
	m := moe(experts, letterNames, c.Experts, c.Width, c.ExpertInner, nn.Routing{TopK: c.TopK, Sigmoid: sigmoid, Factor: float32(c.Factor)})
	if c.Shared > 0 {
		m.Shared = swiglu(experts.Sub("shared_experts"), false, c.Width, c.Shared*c.ExpertInner, "gate_proj", "up_proj", "down_proj")
	}
	return m
}

// kda takes a delta attention.
func (c *kimiConfig) kda(p nn.Params) *nn.Recurrent {
	h, d := c.Linear.Heads, c.Linear.HeadDim
	n := h * d
	rule := &nn.KDA{
		Heads: h, KeyHeads: h, KeyDim: d, ValueDim: d, NegA: nn.NegExp(p.Vec("A_log", 1, 1, h, 1)), DtBias: p.Vec("dt_bias", n),
		Conv: shortConvs(p, qkv, [3]int{n, n, n}, [3]int{d, d, d}, c.Linear.Taps),
	}
	rows := func(name string, rows, cols int) tensor.Tensor { return p.Tensor(name+"_proj.weight", rows, cols) }
	return &nn.Recurrent{
		Rec: rule, In: p.Linear(rows("q", n, c.Width), rows("k", n, c.Width), rows("v", n, c.Width)),
		Rates:  nn.Rates{Low: p.Exact(rows("f_a", d, c.Width)), High: p.Exact(rows("f_b", n, d)), Direct: p.Exact(rows("b", h, c.Width))},
		Gate:   nn.Rates{Low: p.High().Linear(rows("g_a", d, c.Width)), High: p.High().Linear(rows("g_b", n, d))},
		Output: nn.Output{Norm: rmsNorm(p, "o_norm.weight", d, c.Eps), After: nn.Sigmoid, Proj: p.High().Linear(rows("o", c.Width, n))},
	}
}

// latent takes a latent attention. The norm of the latent has an epsilon of its own.
func (c *kimiConfig) latent(p nn.Params) *nn.MLA {
	const eps = 1e-6
	h, key := c.Heads, c.NopeDim+c.SharedDim
	m := &nn.MLA{
		Heads: h, NopeDim: c.NopeDim, SharedDim: c.SharedDim, ValueDim: c.ValueDim, Rank: c.KVRank,
		Q:      p.Linear(p.Tensor("q_proj.weight", h*key, c.Width)),
		Latent: p.Linear(p.Tensor("kv_a_proj_with_mqa.weight", c.KVRank+c.SharedDim, c.Width)),
		Norm:   rmsNorm(p, "kv_a_layernorm.weight", c.KVRank, eps),
		Out:    p.Linear(p.Tensor("o_proj.weight", c.Width, h*c.ValueDim)),
	}
	kv := p.Tensor("kv_b_proj.weight", h*(c.NopeDim+c.ValueDim), c.KVRank)
	for _, k := range pick(kv, h, 0, c.NopeDim) {
		m.Keys = append(m.Keys, p.Linear(transpose(k)))
	}
	for _, v := range pick(kv, h, c.NopeDim, c.NopeDim+c.ValueDim) {
		m.Values = append(m.Values, p.Linear(v))
	}
	return m
}
