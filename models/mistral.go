package models

import "github.com/mminfer/mminfer/nn"

// mistralConfig is the configuration of a Mistral.
type mistralConfig struct {
	decoder
	slim
	Window *int `json:"sliding_window"` // null: none
}

func (c *mistralConfig) validate() error {
	var is checks
	c.decoder.validate(&is, "sliding_attention", "full_attention")
	c.slim.validate(&is, &c.decoder)
	is.That(c.Window == nil || *c.Window >= 1, "sliding_window: found %d, expected null or at least 1", deref(c.Window))
	return is.Err()
}

// newMistral builds a Mistral.
func newMistral(_ string, config []byte, p nn.Params) (*Model, error) {
	c := mistralConfig{decoder: decoderDefaults(), Window: new(4096)}
	c.KVHeads, c.Inner, c.MaxPositions = new(8), 14336, 131072
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	rope := c.build(c.headDim())
	return c.model(p, transformers, rmsNorm, func(q nn.Params, l int) []nn.Block {
		return c.slim.layer(&c.decoder, q, l, rope, biases{}, func(_ nn.Params, a *nn.Attention) {
			if c.Types[l] == "sliding_attention" {
				a.Window = deref(c.Window)
			}
		})
	}), nil
}
