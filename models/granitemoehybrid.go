package models

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// graniteHybridConfig is the configuration of a Granite 4 hybrid.
type graniteHybridConfig struct {
	decoder
	mambaHeads
	AttentionBias  bool    `json:"attention_bias"`
	EmbedScale     float64 `json:"embedding_multiplier"`
	AttentionScale float64 `json:"attention_multiplier"`
	ResidualScale  float64 `json:"residual_multiplier"`
	LogitsScaling  float64 `json:"logits_scaling"`
	Experts        int     `json:"num_local_experts"`
	TopK           int     `json:"num_experts_per_tok"`
	SharedInner    int     `json:"shared_intermediate_size"`
	Positions      *string `json:"position_embedding_type"`
	Normalization  string  `json:"normalization_function"`
}

func (c *graniteHybridConfig) validate() (*dual, error) {
	var is checks
	c.noRope = c.Positions == nil || *c.Positions != "rope"
	c.decoder.validate(&is, "mamba", "attention")
	is.Positive("embedding_multiplier", c.EmbedScale)
	is.Positive("attention_multiplier", c.AttentionScale)
	is.Positive("residual_multiplier", c.ResidualScale)
	is.Positive("logits_scaling", c.LogitsScaling)
	is.Between("num_local_experts", c.Experts, 0, maxHeads)
	is.That(c.Experts == 0 || c.TopK >= 1 && c.TopK <= c.Experts, "num_experts_per_tok: found %d, expected 1 to %d", c.TopK, c.Experts)
	is.Between("shared_intermediate_size", c.SharedInner, 1, 16*maxWidth)
	is.That(c.Positions == nil || *c.Positions == "rope" || *c.Positions == "nope", "position_embedding_type: found another than rope and nope")
	is.That(c.Normalization == "rmsnorm", "normalization_function: found %.40q, expected rmsnorm", c.Normalization)
	return c.dual(c.Width, 0, c.Eps, &is), is.Err()
}

// newGraniteHybrid builds a Granite 4 hybrid: Mamba-2 layers with some of attention, each before
// an MLP or a mixture of experts.
func newGraniteHybrid(_ string, config []byte, p nn.Params) (*Model, error) {
	c := graniteHybridConfig{
		decoder: decoderDefaults(), mambaHeads: mambaHeadsDefaults(), EmbedScale: 1, AttentionScale: 1, ResidualScale: 1, LogitsScaling: 1,
		Experts: 8, TopK: 2, SharedInner: 1024, Normalization: "rmsnorm",
	}
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	mamba, err := c.validate()
	if err != nil {
		return nil, err
	}
	var rope *nn.Rope
	if !c.noRope {
		rope = c.build(c.headDim())
	}
	m := c.model(p, transformers, rmsNorm, func(q nn.Params, l int) []nn.Block {
		var mixer nn.Mixer
		if c.Types[l] == "attention" {
			a := c.attention(q.Sub("self_attn"), rope, c.AttentionBias, c.AttentionBias)
			a.Scale = float32(c.AttentionScale)
			mixer = a
		} else {
			mixer = mamba.build(q.Sub("mamba"))
		}
		blocks := c.layer(q, rmsNorm, mixer, c.feedForward(q))
		for i := range blocks {
			blocks[i].Scale = float32(c.ResidualScale)
		}
		return blocks
	})
	m.embedScale, m.logitScale = float32(c.EmbedScale), float32(1/c.LogitsScaling)
	return m, nil
}

// feedForward takes the MLP that sees every token, and the experts beside it if there are any.
func (c *graniteHybridConfig) feedForward(q nn.Params) nn.Mixer {
	s := q.Sub("shared_mlp")
	shared := fused(q, s.Tensor("input_linear.weight", 2*c.SharedInner, c.Width), s.Tensor("output_linear.weight", c.Width, c.SharedInner))
	if c.Experts == 0 {
		return shared
	}
	x := q.Sub("block_sparse_moe")
	in := x.Tensor("input_linear.weight", c.Experts, 2*c.Inner, c.Width)
	out := x.Tensor("output_linear.weight", c.Experts, c.Width, c.Inner)
	m := &nn.MoE{
		Router:  x.Exact(x.Tensor("router.layer.weight", c.Experts, c.Width)),
		Routing: nn.Routing{TopK: c.TopK, Chosen: true}, Shared: shared,
	}
	for e := range c.Experts {
		m.Experts = append(m.Experts, fused(q, matrix(in, e), matrix(out, e)))
	}
	return m
}

// fused is an MLP whose gate and up projections are one tensor.
func fused(p nn.Params, in, out tensor.Tensor) *nn.SwiGLU {
	return &nn.SwiGLU{GateUp: p.Linear(in), Down: p.Linear(out)}
}

// matrix returns matrix i of a tensor of several.
func matrix(t tensor.Tensor, i int) tensor.Tensor {
	m := pick(t, 1, i, i+1)[0]
	m.Shape = m.Shape[1:]
	return m
}
