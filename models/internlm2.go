package models

import "github.com/mminfer/mminfer/nn"

// internlm2Config is the configuration of an InternLM2: a LLaMA with other names.
type internlm2Config struct {
	decoder
	Bias bool `json:"bias"` // of the attention's projections
}

func (c *internlm2Config) validate() error {
	var is checks
	c.decoder.validate(&is, "full_attention")
	return is.Err()
}

// newInternLM2 builds an InternLM2.
func newInternLM2(_ string, config []byte, p nn.Params) (*Model, error) {
	c := internlm2Config{decoder: decoderDefaults()}
	c.Vocab = 103168
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	rope := c.build(c.headDim())
	return c.model(p, names{"model", "tok_embeddings.weight", "norm.weight", "output.weight"}, rmsNorm, func(q nn.Params, _ int) []nn.Block {
		return []nn.Block{
			{Norm: rmsNorm(q, "attention_norm.weight", c.Width, c.Eps), Mixer: c.attention(q.Sub("attention"), rope)},
			{Norm: rmsNorm(q, "ffn_norm.weight", c.Width, c.Eps), Mixer: swiglu(q.Sub("feed_forward"), false, c.Width, c.Inner, "w1", "w3", "w2")},
		}
	}), nil
}

// attention takes the attention, whose projection holds, for each head with keys, the rows of its
// queries, then its key, then its value.
func (c *internlm2Config) attention(p nn.Params, rope *nn.Rope) *nn.Attention {
	d, g := c.headDim(), c.kvHeads()
	group := c.Heads / g
	t := p.Tensor("wqkv.weight", (c.Heads+2*g)*d, c.Width)
	q, k, v := pick(t, g, 0, group*d), pick(t, g, group*d, (group+1)*d), pick(t, g, (group+1)*d, (group+2)*d)
	qkv := p.Linear(append(append(q, k...), v...)...)
	if c.Bias {
		b := p.Vec("wqkv.bias", (c.Heads+2*g)*d)
		qkv.Bias = append(append(pickFloats(b, g, 0, group*d), pickFloats(b, g, group*d, (group+1)*d)...), pickFloats(b, g, (group+1)*d, (group+2)*d)...)
	}
	return &nn.Attention{Heads: c.Heads, KVHeads: g, Dim: d, Rope: rope, QKV: qkv, Out: stack(p, c.Bias, c.Heads*d, part{"wo", c.Width})}
}
