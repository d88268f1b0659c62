package models

import (
	"encoding/json"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// qwen3_5Config is the configuration of the text model of a Qwen3.5.
type qwen3_5Config struct{ qwenHybrid }

func (c *qwen3_5Config) validate() error {
	var is checks
	c.check(&is)
	return is.Err()
}

// newQwen3_5 builds the text model of a Qwen3.5: a file of its own, or a part of one that sees
// pictures too, which are left out. For text the sections of its rotary embedding are all alike.
func newQwen3_5(kind string, config []byte, p nn.Params) (*Model, error) {
	c := qwen3_5Config{qwenHybridDefaults()}
	c.Inner, c.Vocab, c.KVHeads = 12288, 248320, new(4)
	n := transformers
	if kind == "qwen3_5" {
		whole := struct {
			Text json.RawMessage `json:"text_config"`
			Tied bool            `json:"tie_word_embeddings"`
		}{Text: []byte("{}")}
		if err := decode(config, &whole); err != nil {
			return nil, err
		}
		c.Tied, config, n.body = whole.Tied, whole.Text, "model.language_model"
		p.DropAll("model.visual")
	}
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	dropPrediction(p)
	return c.build(p, n, c.separate, func(q nn.Params, _ int) nn.Mixer { return c.mlp(q, false) }), nil
}

// separate takes a delta rule whose projections are tensors of their own.
func (c *qwen3_5Config) separate(p nn.Params) nn.Mixer {
	in := []tensor.Tensor{p.Tensor("in_proj_qkv.weight", 2*c.keys()+c.values(), c.Width), p.Tensor("in_proj_z.weight", c.values(), c.Width)}
	return c.delta(p, in, []tensor.Tensor{p.Tensor("in_proj_b.weight", c.ValueHeads, c.Width), p.Tensor("in_proj_a.weight", c.ValueHeads, c.Width)})
}
