package models

import "github.com/mminfer/mminfer/nn"

// newQwen3 builds a Qwen3, whose queries and keys are normalised head by head.
func newQwen3(_ string, config []byte, p nn.Params) (*Model, error) {
	c := qwen2Defaults()
	c.HeadDim = new(128)
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	rope := c.build(c.headDim())
	return c.model(p, transformers, rmsNorm, func(q nn.Params, l int) []nn.Block {
		a := q.Sub("self_attn")
		attention := c.attention(a, rope, c.AttentionBias, c.AttentionBias)
		attention.QNorm = rmsNorm(a, "q_norm.weight", c.headDim(), c.Eps)
		attention.KNorm = rmsNorm(a, "k_norm.weight", c.headDim(), c.Eps)
		attention.Window = c.window(l)
		return c.layer(q, rmsNorm, attention, c.mlp(q.Sub("mlp"), false))
	}), nil
}
