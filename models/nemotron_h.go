package models

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
)

// nemotronHConfig is the configuration of a Nemotron-H.
type nemotronHConfig struct {
	decoder
	Pattern       string    `json:"hybrid_override_pattern"`
	Blocks        []string  `json:"layers_block_type"` // newer form of the pattern
	NormEps       float64   `json:"layer_norm_epsilon"`
	AttentionBias bool      `json:"attention_bias"`
	MLPBias       bool      `json:"mlp_bias"`
	MLPAct        string    `json:"mlp_hidden_act"`
	SSMAct        string    `json:"mamba_hidden_act"`
	SSMState      int       `json:"ssm_state_size"`
	SSMHeads      int       `json:"mamba_num_heads"`
	SSMHeadDim    int       `json:"mamba_head_dim"`
	Groups        int       `json:"n_groups"`
	Taps          int       `json:"conv_kernel"`
	Bias          bool      `json:"use_bias"`
	ProjBias      bool      `json:"mamba_proj_bias"`
	ConvBias      bool      `json:"use_conv_bias"`
	Limit         timeLimit `json:"time_step_limit"`

	Experts      int     `json:"n_routed_experts"`
	Shared       int     `json:"n_shared_experts"`
	ExpertInner  int     `json:"moe_intermediate_size"`
	SharedInner  int     `json:"moe_shared_expert_intermediate_size"`
	TopK         int     `json:"num_experts_per_tok"`
	ExpertGroups int     `json:"n_group"`
	TopKGroups   int     `json:"topk_group"`
	Normalize    bool    `json:"norm_topk_prob"`
	Factor       float64 `json:"routed_scaling_factor"`
	Latent       *int    `json:"moe_latent_size"`
}

// nemotronLetters are the letters of the pattern and the names that newer configurations spell out.
var nemotronLetters = map[string]byte{"mamba": 'M', "attention": '*', "mlp": '-', "moe": 'E'}

func (c *nemotronHConfig) validate() (*dual, error) {
	var is checks
	c.noRope, c.Eps = true, c.NormEps
	if c.Blocks != nil {
		c.Pattern = ""
		for i, b := range c.Blocks[:min(len(c.Blocks), maxLayers)] {
			letter, ok := nemotronLetters[b]
			is.That(ok, "layers_block_type: layer %d is %.40q, expected mamba, attention, mlp or moe", i, b)
			c.Pattern += string(rune(letter))
		}
	}
	c.decoder.validate(&is, "hybrid")
	is.That(len(c.Pattern) == c.Layers, "hybrid_override_pattern: found %d letters, expected num_hidden_layers %d", len(c.Pattern), c.Layers)
	for i, letter := range []byte(c.Pattern) {
		switch letter {
		case 'M', '*', '-':
		case 'E':
			c.validateExperts(&is)
		default:
			is.That(false, "hybrid_override_pattern: letter %d is %q, expected M, *, - or E", i, letter)
		}
	}
	is.That(c.MLPAct == "relu2", "mlp_hidden_act: found %.40q, expected relu2", c.MLPAct)
	is.That(c.SSMAct == "silu" || c.SSMAct == "swish", "mamba_hidden_act: found %.40q, expected silu", c.SSMAct)
	is.That(c.ProjBias == c.Bias, "mamba_proj_bias: found %v beside use_bias %v, expected the same", c.ProjBias, c.Bias)
	s := &dual{
		width: c.Width, heads: c.SSMHeads, headDim: c.SSMHeadDim, groups: c.Groups, state: c.SSMState, taps: c.Taps,
		bias: c.Bias, outBias: c.Bias, convBias: c.ConvBias, norm: true, eps: c.Eps, limit: c.Limit,
	}
	s.validate(&is)
	return s, is.Err()
}

func (c *nemotronHConfig) validateExperts(is *checks) {
	is.Between("n_routed_experts", c.Experts, 1, maxHeads)
	is.Between("num_experts_per_tok", c.TopK, 1, max(1, c.Experts))
	is.Between("moe_intermediate_size", c.ExpertInner, 1, 16*maxWidth)
	is.Between("n_shared_experts", c.Shared, 0, 1)
	is.Between("moe_shared_expert_intermediate_size", c.SharedInner, 1, 16*maxWidth)
	is.Positive("routed_scaling_factor", c.Factor)
	is.That(c.Latent == nil, "moe_latent_size: found %d, expected null: projections around the experts are not supported", deref(c.Latent))
	is.That(c.ExpertGroups >= 1 && c.Experts%c.ExpertGroups == 0, "n_group: %d groups of %d experts", c.ExpertGroups, c.Experts)
	is.Between("topk_group", c.TopKGroups, 1, max(1, c.ExpertGroups))
	if is.Err() == nil {
		most := c.Experts / c.ExpertGroups * c.TopKGroups
		is.That(c.TopK <= most, "num_experts_per_tok: found %d, but the groups chosen hold %d", c.TopK, most)
	}
}

// newNemotronH builds a Nemotron-H, each of whose layers is one branch of the residual stream.
func newNemotronH(_ string, config []byte, p nn.Params) (*Model, error) {
	c := nemotronHConfig{
		decoder: decoderDefaults(), Pattern: "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-", NormEps: 1e-5, MLPAct: "relu2", SSMAct: "silu",
		SSMState: 128, SSMHeads: 128, SSMHeadDim: 64, Groups: 8, Taps: 4, ConvBias: true, Limit: noLimit,
		Experts: 8, Shared: 1, ExpertInner: 7688, SharedInner: 7688, TopK: 2, ExpertGroups: 1, TopKGroups: 1, Normalize: true, Factor: 1,
	}
	c.Vocab, c.Inner, c.Layers, c.KVHeads, c.HeadDim = 131072, 21504, 52, new(8), new(128)
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	mamba, err := c.validate()
	if err != nil {
		return nil, err
	}
	shell := names{"backbone", "embeddings.weight", "norm_f.weight", "lm_head.weight"}
	return c.model(p, shell, rmsNorm, func(q nn.Params, l int) []nn.Block {
		b, x := nn.Block{Norm: rmsNorm(q, "norm.weight", c.Width, c.Eps)}, q.Sub("mixer")
		switch c.Pattern[l] {
		case 'M':
			b.Mixer = mamba.build(x)
		case '*':
			b.Mixer = c.attention(x, nil, c.AttentionBias, c.AttentionBias)
		case '-':
			b.Mixer = c.mlp(x, c.Inner, c.MLPBias)
		case 'E':
			b.Mixer = c.mixture(x)
		}
		return []nn.Block{b}
	}), nil
}

// mlp takes an MLP without a gate.
func (c *nemotronHConfig) mlp(p nn.Params, inner int, bias bool) *nn.MLP {
	return &nn.MLP{
		Act: nn.SquaredReLU,
		Up:  stack(p, bias, c.Width, part{"up_proj", inner}), Down: stack(p, bias, inner, part{"down_proj", c.Width}),
	}
}

// mixture takes a mixture of experts.
func (c *nemotronHConfig) mixture(p nn.Params) *nn.MoE {
	m := &nn.MoE{
		Router: p.Exact(p.Tensor("gate.weight", c.Experts, c.Width)),
		Routing: nn.Routing{TopK: c.TopK, Factor: float32(c.Factor), Sigmoid: &nn.SigmoidRouting{
			Correction: p.Vec("gate.e_score_correction_bias", c.Experts), Groups: c.ExpertGroups, TopGroups: c.TopKGroups, Normalize: c.Normalize,
		}},
	}
	for e := range c.Experts {
		m.Experts = append(m.Experts, c.mlp(p.Sub(fmt.Sprintf("experts.%d", e)), c.ExpertInner, false))
	}
	if c.Shared > 0 {
		m.Shared = c.mlp(p.Sub("shared_experts"), c.SharedInner, false)
	}
	return m
}
