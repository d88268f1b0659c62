package models

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// rwkvConfig is what the RWKV architectures of flash-linear-attention have in common: the shell
// around time and channel mixing.
type rwkvConfig struct {
	Width        int      `json:"hidden_size"`
	Layers       int      `json:"num_hidden_layers"`
	Vocab        int      `json:"vocab_size"`
	HiddenRatio  *float64 `json:"hidden_ratio"`
	Intermediate *int     `json:"intermediate_size"`
	Act          string   `json:"hidden_act"`
	Eps          float64  `json:"norm_eps"`
	NormFirst    bool     `json:"norm_first"`
	NormBias     bool     `json:"norm_bias"`
	Tied         bool     `json:"tie_word_embeddings"`
	Attn         flaAttn  `json:"attn"`

	ratio float64 // where hidden_ratio is null
}

func rwkvDefaults(ratio float64) *rwkvConfig {
	return &rwkvConfig{
		Width: 2048, Layers: 24, Vocab: 32000, Act: "sqrelu", Eps: 1e-5, NormFirst: true, NormBias: true, ratio: ratio,
	}
}

// rwkvCell is the part of a configuration that belongs to one generation.
type rwkvCell interface {
	validate(is *checks, sh *rwkvConfig)
	// timeMix makes a layer's mixing over time, channelMix its MLP.
	timeMix(p nn.Params, sh *rwkvConfig, layer int) nn.Mixer
	channelMix(p nn.Params, sh *rwkvConfig) nn.Mixer
}

// buildRWKV builds a model of the shell around a cell; both hold the values of absent keys.
func buildRWKV(config []byte, p nn.Params, sh *rwkvConfig, cell rwkvCell) (*Model, error) {
	for _, into := range []any{sh, cell} {
		if err := decode(config, into); err != nil {
			return nil, err
		}
	}
	var is checks
	if sh.validate(&is); is.Err() == nil {
		cell.validate(&is, sh)
	}
	if err := is.Err(); err != nil {
		return nil, err
	}
	m := &Model{Vocab: sh.Vocab, Width: sh.Width}
	body := p.Sub("model")
	m.embed = body.Tensor("embeddings.weight", sh.Vocab, sh.Width)
	m.norm = sh.layerNorm(body, "norm")
	m.head = head(p, m.embed, "lm_head.weight", sh.Tied)
	if sh.NormFirst {
		m.embedNorm = sh.layerNorm(body.Sub("layers.0"), "pre_norm")
	}
	for l := range sh.Layers {
		if p.TooMany() {
			break
		}
		q := body.Sub(fmt.Sprintf("layers.%d", l))
		m.layers = append(m.layers, Layer{Blocks: []nn.Block{
			{Norm: sh.layerNorm(q, "attn_norm"), Mixer: cell.timeMix(q.Sub("attn"), sh, l)},
			{Norm: sh.layerNorm(q, "ffn_norm"), Mixer: cell.channelMix(q.Sub("ffn"), sh)},
		}})
	}
	return m, nil
}

func (c *rwkvConfig) validate(is *checks) {
	is.sizes(c.Width, c.Layers, c.Vocab)
	is.Positive("norm_eps", c.Eps)
	if c.HiddenRatio != nil {
		is.Positive("hidden_ratio", *c.HiddenRatio)
	}
	if is.Err() != nil {
		return
	}
	is.Between("intermediate_size", c.inner(), 1, 16*maxWidth)
	is.That(c.Act == "sqrelu", "hidden_act: found %q, expected sqrelu", c.Act)
	is.That(len(c.Attn) == 0, "attn: found layers of softmax attention, which are not supported beside RWKV")
}

// inner is the width of the channel mixing.
func (c *rwkvConfig) inner() int {
	if c.Intermediate != nil {
		return *c.Intermediate
	}
	ratio := c.ratio
	if c.HiddenRatio != nil {
		ratio = *c.HiddenRatio
	}
	return (int(min(float64(c.Width)*ratio, 1e9)) + 31) / 32 * 32
}

// layerNorm takes a layer norm over the model's width.
func (c *rwkvConfig) layerNorm(p nn.Params, name string) nn.Norm {
	n := nn.Norm{Weight: p.Vec(name+".weight", c.Width), Eps: float32(c.Eps), Layer: true}
	if c.NormBias {
		n.Bias = p.Vec(name+".bias", c.Width)
	}
	return n
}

// groupNorm takes the layer norm over each head's outputs, n in all.
func groupNorm(p nn.Params, n int, eps float64) nn.Norm {
	return nn.Norm{Weight: p.Vec("g_norm.weight", n), Bias: p.Vec("g_norm.bias", n), Eps: float32(eps), Layer: true}
}

// lowRank takes a projection of low rank from d to n.
func lowRank(p nn.Params, n, rank, d int, act nn.Activation, bias bool) nn.LowRank {
	l := nn.LowRank{Low: p.Exact(p.Tensor("lora.0.weight", rank, d)), High: p.Exact(p.Tensor("lora.2.weight", n, rank)), Act: act}
	if bias {
		l.Bias = p.Vec("lora.2.bias", n)
	}
	return l
}

// columns copies some columns of a matrix.
func columns(t tensor.Tensor, from, to int) tensor.Tensor {
	rows, cols := t.Shape[0], t.Shape[1]
	c := tensor.Tensor{Name: t.Name, Type: t.Type, Shape: []int{rows, to - from}}
	if t.Data == nil {
		return c
	}
	size := t.Type.Size()
	for r := range rows {
		c.Data = append(c.Data, t.Data[(r*cols+from)*size:(r*cols+to)*size]...)
	}
	return c
}
