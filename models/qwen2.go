package models

import "github.com/mminfer/mminfer/nn"

// qwen2Config is the configuration of a Qwen2 or Qwen3.
type qwen2Config struct {
	decoder
	slim
	AttentionBias   bool `json:"attention_bias"` // Qwen3
	UseWindow       bool `json:"use_sliding_window"`
	Window          *int `json:"sliding_window"`
	MaxWindowLayers int  `json:"max_window_layers"` // layers before it see everything
}

// qwen2Defaults are the values of absent keys.
func qwen2Defaults() qwen2Config {
	c := qwen2Config{decoder: decoderDefaults(), Window: new(4096), MaxWindowLayers: 28}
	c.Vocab, c.Inner, c.MaxPositions = 151936, 22016, 32768
	return c
}

func (c *qwen2Config) validate() error {
	var is checks
	typed := c.Types != nil
	c.decoder.validate(&is, "full_attention", "sliding_attention")
	c.slim.validate(&is, &c.decoder)
	is.That(!c.UseWindow || c.Window == nil || *c.Window >= 1, "sliding_window: found %d, expected null or at least 1", deref(c.Window))
	for l := range c.Types {
		if !typed && l >= c.MaxWindowLayers {
			c.Types[l] = "sliding_attention"
		}
	}
	return is.Err()
}

// window is the window of a layer, 0 for none.
func (c *qwen2Config) window(layer int) int {
	if c.UseWindow && c.Types[layer] == "sliding_attention" {
		return deref(c.Window)
	}
	return 0
}

// newQwen2 builds a Qwen2, whose queries, keys and values have biases.
func newQwen2(_ string, config []byte, p nn.Params) (*Model, error) {
	c := qwen2Defaults()
	c.AttentionBias = true
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	rope := c.build(c.headDim())
	return c.model(p, transformers, rmsNorm, func(q nn.Params, l int) []nn.Block {
		return c.slim.layer(&c.decoder, q, l, rope, biases{qkv: c.AttentionBias}, func(_ nn.Params, a *nn.Attention) {
			a.Window = c.window(l)
		})
	}), nil
}
