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
		return c.slim.layer(&c.decoder, q, l, rope, biases{qkv: c.AttentionBias, out: c.AttentionBias}, func(p nn.Params, a *nn.Attention) {
			a.QNorm = rmsNorm(p, "q_norm.weight", c.headDim(), c.Eps)
			a.KNorm = rmsNorm(p, "k_norm.weight", c.headDim(), c.Eps)
			a.Window = c.window(l)
		})
	}), nil
}
