package models

import "github.com/mminfer/mminfer/nn"

// llamaConfig is the configuration of a LLaMA.
type llamaConfig struct {
	decoder
	AttentionBias bool `json:"attention_bias"`
	MLPBias       bool `json:"mlp_bias"`
}

func (c *llamaConfig) validate() error {
	var is checks
	c.decoder.validate(&is, "full_attention")
	return is.err()
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
	return c.model(p, transformers, rmsNorm, func(q nn.Params, _ int) []nn.Block {
		attention := c.attention(q.Sub("self_attn"), rope, c.AttentionBias, c.AttentionBias)
		return c.layer(q, rmsNorm, attention, c.mlp(q.Sub("mlp"), c.MLPBias))
	}), nil
}
