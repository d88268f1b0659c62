package models

import "github.com/mminfer/mminfer/nn"

// llamaConfig is the configuration of a LLaMA.
type llamaConfig struct {
	decoder
	slim
	AttentionBias bool `json:"attention_bias"`
	MLPBias       bool `json:"mlp_bias"`
}

func (c *llamaConfig) validate() error {
	var is checks
	c.decoder.validate(&is, "full_attention")
	c.slim.validate(&is, &c.decoder)
	return is.Err()
}

// newLlama builds a LLaMA.
func newLlama(_ string, config []byte, p nn.Params) (*Model, error) {
	c := llamaConfig{decoder: decoderDefaults()}
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	rope := c.build(c.headDim())
	return c.model(p, transformers, rmsNorm, func(q nn.Params, l int) []nn.Block {
		return c.slim.layer(&c.decoder, q, l, rope, biases{c.AttentionBias, c.AttentionBias, c.MLPBias}, func(nn.Params, *nn.Attention) {})
	}), nil
}
