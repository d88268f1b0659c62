package models

import (
	"fmt"
	"slices"

	"github.com/mminfer/mminfer/nn"
)

// decoder is the configuration that transformers and their hybrids share.
type decoder struct {
	Width   int      `json:"hidden_size"`
	Layers  int      `json:"num_hidden_layers"`
	Vocab   int      `json:"vocab_size"`
	Heads   int      `json:"num_attention_heads"`
	KVHeads *int     `json:"num_key_value_heads"` // null: all
	HeadDim *int     `json:"head_dim"`            // null: hidden_size / num_attention_heads
	Inner   int      `json:"intermediate_size"`
	Act     string   `json:"hidden_act"`
	Eps     float64  `json:"rms_norm_eps"`
	Tied    bool     `json:"tie_word_embeddings"`
	Types   []string `json:"layer_types"`
	ropeConfig
	noRope bool     // the family's attention knows no positions
	acts   []string // what hidden_act may be; nil for silu, by either of its names
}

// decoderDefaults are the values of absent keys that most families agree on.
func decoderDefaults() decoder {
	return decoder{
		Width: 4096, Layers: 32, Vocab: 32000, Heads: 32, Inner: 11008, Act: "silu", Eps: 1e-6,
		ropeConfig: ropeConfig{Theta: 10000, Partial: 1, MaxPositions: 2048},
	}
}

// kvHeads is the number of heads with keys.
func (c *decoder) kvHeads() int {
	if c.KVHeads == nil {
		return c.Heads
	}
	return *c.KVHeads
}

// headDim is the width of a head.
func (c *decoder) headDim() int {
	if c.HeadDim == nil {
		return c.Width / max(c.Heads, 1)
	}
	return *c.HeadDim
}

// validate records what is wrong. Types are those that layer_types may name, the first one being
// the type of all layers where the key is absent.
func (c *decoder) validate(is *checks, types ...string) {
	is.sizes(c.Width, c.Layers, c.Vocab)
	is.Between("num_attention_heads", c.Heads, 1, maxHeads)
	is.Between("num_key_value_heads", c.kvHeads(), 1, maxHeads)
	is.Between("head_dim", c.headDim(), 1, maxWidth)
	is.Between("intermediate_size", c.Inner, 1, 16*maxWidth)
	is.Positive("rms_norm_eps", c.Eps)
	is.That(c.HeadDim != nil || c.Heads < 1 || c.Width%c.Heads == 0, "num_attention_heads: %d does not divide hidden_size %d", c.Heads, c.Width)
	is.That(c.kvHeads() < 1 || c.Heads%c.kvHeads() == 0, "num_key_value_heads: %d does not divide the %d heads", c.kvHeads(), c.Heads)
	if c.acts == nil {
		c.acts = []string{"silu", "swish"}
	}
	is.That(slices.Contains(c.acts, c.Act), "hidden_act: found %q, expected %s", c.Act, c.acts[0])
	c.validateTypes(is, types)
	if is.Err() == nil && !c.noRope {
		c.ropeConfig.validate(is, c.headDim())
	}
}

// validateTypes checks layer_types and fills it in where it is absent.
func (c *decoder) validateTypes(is *checks, types []string) {
	if c.Types == nil && c.Layers <= maxLayers {
		for range c.Layers {
			c.Types = append(c.Types, types[0])
		}
	}
	is.That(len(c.Types) == c.Layers, "layer_types: found %d, expected %d", len(c.Types), c.Layers)
	for i, t := range c.Types {
		is.That(slices.Contains(types, t), "layer_types: layer %d is %.40q, expected one of %q", i, t, types)
	}
}

// names are what a family calls its tensors.
type names struct {
	body, embed, norm, head string
}

// transformers are the names that most families use.
var transformers = names{"model", "embed_tokens.weight", "norm.weight", "lm_head.weight"}

// model builds the shell of a model and its layers: layer returns the blocks of layer l, whose
// tensors are in the window it is given.
func (c *decoder) model(p nn.Params, n names, norm normKind, layer func(q nn.Params, l int) []nn.Block) *Model {
	m := &Model{Vocab: c.Vocab, Width: c.Width}
	body := p.Sub(n.body)
	m.embed = body.Tensor(n.embed, c.Vocab, c.Width)
	m.norm = norm(body, n.norm, c.Width, c.Eps)
	m.head = head(p, m.embed, n.head, c.Tied)
	for l := range c.Layers {
		if p.TooMany() {
			break
		}
		q := body.Sub(fmt.Sprintf("layers.%d", l))
		q.Sub("self_attn").Drop("rotary_emb.inv_freq")
		m.layers = append(m.layers, Layer{Blocks: layer(q, l)})
	}
	return m
}

// layer returns an attention and an MLP, each after its norm, of the usual names.
func (c *decoder) layer(q nn.Params, norm normKind, attention, mlp nn.Mixer) []nn.Block {
	return []nn.Block{
		{Norm: norm(q, "input_layernorm.weight", c.Width, c.Eps), Mixer: attention},
		{Norm: norm(q, "post_attention_layernorm.weight", c.Width, c.Eps), Mixer: mlp},
	}
}

// attention takes an attention of the usual names.
func (c *decoder) attention(p nn.Params, rope *nn.Rope, bias, outBias bool) *nn.Attention {
	d := c.headDim()
	return &nn.Attention{
		Heads: c.Heads, KVHeads: c.kvHeads(), Dim: d, Rope: rope,
		QKV: stack(p, bias, c.Width, part{"q_proj", c.Heads * d}, part{"k_proj", c.kvHeads() * d}, part{"v_proj", c.kvHeads() * d}),
		Out: stack(p, outBias, c.Heads*d, part{"o_proj", c.Width}),
	}
}

// swiglu takes an MLP of the given inner width, of which the tensors are gate, up and down.
func swiglu(p nn.Params, bias bool, width, inner int, gate, up, down string) *nn.SwiGLU {
	return &nn.SwiGLU{
		GateUp: stack(p, bias, width, part{gate, inner}, part{up, inner}),
		Down:   stack(p, bias, inner, part{down, width}),
	}
}

// mlp takes an MLP of the usual names.
func (c *decoder) mlp(p nn.Params, bias bool) *nn.SwiGLU {
	return swiglu(p, bias, c.Width, c.Inner, "gate_proj", "up_proj", "down_proj")
}
