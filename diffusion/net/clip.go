package net

import (
	"fmt"
	"slices"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// CLIPText is the text encoder of CLIP, with or without a projection.
//
// Source: Radford et al. 2021, arXiv:2103.00020; models/clip/modeling_clip.py in huggingface/transformers 5.23.
type CLIPText struct {
	weights
	Vocab      int
	Width      int // D
	Layers     int
	MaxTokens  int // positions
	Projection int // columns of the pooled output where there is a projection, else 0

	tokens    *nn.Linear // its weight is a table [Vocab, D]
	positions []float32  // [MaxTokens, D]
	layers    [][2]nn.Block
	norm      nn.Norm
	project   *nn.Linear // [Projection, D], nil without
	end       int32      // the end token
}

// Text is what an encoder makes of a text.
type Text struct {
	Hidden tensor.Mat // [T, D]
	Pooled []float32  // [D], or [Projection]
}

// clipConfig is the configuration of a CLIPTextModel.
type clipConfig struct {
	Vocab        int     `json:"vocab_size"`
	Width        int     `json:"hidden_size"`
	Intermediate int     `json:"intermediate_size"`
	Layers       int     `json:"num_hidden_layers"`
	Heads        int     `json:"num_attention_heads"`
	Positions    int     `json:"max_position_embeddings"`
	Act          string  `json:"hidden_act"`
	Eps          float64 `json:"layer_norm_eps"`
	End          int     `json:"eos_token_id"`
	Projection   int     `json:"projection_dim"`
}

// clipActs maps hidden_act to what it is.
var clipActs = map[string]nn.Activation{"quick_gelu": nn.QuickGELU, "gelu": nn.GELU}

// parse reads a configuration.
func (c *clipConfig) parse(config []byte) error {
	*c = clipConfig{
		Vocab: 49408, Width: 512, Intermediate: 2048, Layers: 12, Heads: 8, Positions: 77, Act: "quick_gelu", Eps: 1e-5, End: 49407, Projection: 512,
	}
	if _, err := decode(config, c); err != nil {
		return err
	}
	var k checks
	k.Between("vocab_size", c.Vocab, 1, maxVocab)
	k.Between("hidden_size", c.Width, 1, maxChannels)
	k.Between("intermediate_size", c.Intermediate, 1, 4*maxChannels)
	k.Between("num_hidden_layers", c.Layers, 1, maxLayers)
	k.Between("num_attention_heads", c.Heads, 1, maxChannels)
	k.Between("max_position_embeddings", c.Positions, 1, maxTokens)
	k.Between("projection_dim", c.Projection, 0, maxChannels)
	k.among("hidden_act", c.Act, "quick_gelu", "gelu")
	k.Positive("layer_norm_eps", c.Eps)
	k.That(c.Heads < 1 || c.Width%c.Heads == 0, "hidden_size: found %d, expected a multiple of num_attention_heads %d", c.Width, c.Heads)
	return k.Err()
}

// NewCLIPText builds the network of a folder. The error tells everything that is wrong.
func NewCLIPText(ck Checkpoint, o Options) (*CLIPText, error) {
	return load("CLIPTextModel", buildCLIPText, ck, o)
}

// buildCLIPText takes the tensors of a configuration.
func buildCLIPText(p nn.Params, config []byte) (*CLIPText, error) {
	var c clipConfig
	if err := c.parse(config); err != nil {
		return nil, configError("CLIPTextModel", err)
	}
	root := p
	if root.Has("text_model.embeddings.token_embedding.weight") || !root.Has("embeddings.token_embedding.weight") {
		p = root.Sub("text_model")
	}
	t := &CLIPText{Vocab: c.Vocab, Width: c.Width, Layers: c.Layers, MaxTokens: c.Positions, end: int32(c.End)}
	t.tokens = p.Exact(p.Tensor("embeddings.token_embedding.weight", c.Vocab, c.Width))
	t.positions = p.Vec("embeddings.position_embedding.weight", c.Positions, c.Width)
	p.Drop("embeddings.position_ids")
	for i := 0; i < c.Layers && !p.TooMany(); i++ {
		t.layers = append(t.layers, newCLIPLayer(p.Sub(fmt.Sprintf("encoder.layers.%d", i)), &c))
	}
	t.norm = layerNorm(p, "final_layer_norm", c.Width, c.Eps)
	if root.Has("text_projection.weight") {
		t.Projection = c.Projection
		t.project = linear(root, "text_projection", c.Width, c.Projection, false)
	}
	return t, nil
}

func newCLIPLayer(p nn.Params, c *clipConfig) [2]nn.Block {
	attn := p.Sub("self_attn")
	return [2]nn.Block{
		{
			Norm: layerNorm(p, "layer_norm1", c.Width, c.Eps),
			Mixer: &nn.Attention{
				Heads: c.Heads, KVHeads: c.Heads, Dim: c.Width / c.Heads,
				QKV: stacked(attn, c.Width, c.Width, true, "q_proj", "k_proj", "v_proj"), Out: linear(attn, "out_proj", c.Width, c.Width, true),
			},
		},
		{
			Norm:  layerNorm(p, "layer_norm2", c.Width, c.Eps),
			Mixer: &nn.MLP{Act: clipActs[c.Act], Up: linear(p, "mlp.fc1", c.Width, c.Intermediate, true), Down: linear(p, "mlp.fc2", c.Intermediate, c.Width, true)},
		},
	}
}

// Encode reads ids, padded by the caller to as many as the context should have rows, at most MaxTokens.
// Hidden is the final norm of what comes skip layers before the last, and with raw what comes there without
// the norm. Pooled is always that of the last layer: of the end token, the first one, or the largest id where the configuration has the
// end token 2, as old ones do.
func (c *CLIPText) Encode(ids []int32, skip int, raw bool, p *Pass) (Text, error) {
	if len(ids) < 1 || len(ids) > c.MaxTokens || skip < 0 || skip > c.Layers {
		return Text{}, fmt.Errorf("net: CLIPTextModel: %d tokens without the last %d layers, expected 1 to %d tokens and 0 to %d layers", len(ids), skip, c.MaxTokens, c.Layers)
	}
	for i, id := range ids {
		if id < 0 || int(id) >= c.Vocab {
			return Text{}, fmt.Errorf("net: CLIPTextModel: token %d is %d, expected 0 to %d", i, id, c.Vocab-1)
		}
	}
	r := begin(p)
	mark := r.ws.Mark()
	x := r.ws.Mat(len(ids), c.Width)
	for i, id := range ids {
		c.tokens.W.Row(x.Row(i), int(id))
		addRow(x.Row(i), c.positions, int32(i))
	}
	text := Text{Hidden: tensor.NewMat(len(ids), c.Width)}
	c.stream(r, x, 0, skip, text.Hidden)
	for i := range c.layers {
		for b := range c.layers[i] {
			block := &c.layers[i][b]
			span := nn.Span{To: len(ids)}
			if spec := block.Mixer.StateSpec(); spec.KV.Heads > 0 {
				span.State.KV = nn.NewKV(spec.KV)
			}
			block.Apply(x, tensor.Mat{}, []nn.Span{span}, r.ws)
		}
		c.stream(r, x, i+1, skip, text.Hidden)
	}
	if !raw {
		c.norm.Apply(text.Hidden, text.Hidden, r.ws)
	}
	text.Pooled = c.pool(r, ids, x)
	r.ws.Release(mark)
	return text, r.end()
}

// stream reports the residual stream after some layers, and keeps it if it is what comes skip layers before the last.
func (c *CLIPText) stream(r *run, x tensor.Mat, layers, skip int, hidden tensor.Mat) {
	r.block(fmt.Sprintf("hidden.%d", layers), nn.Image{N: 1, H: x.Rows, W: 1, Mat: x})
	if layers == c.Layers-skip {
		for i := range x.Rows {
			copy(hidden.Row(i), x.Row(i))
		}
	}
}

// pool normalises and projects the row of the end token.
func (c *CLIPText) pool(r *run, ids []int32, x tensor.Mat) []float32 {
	at := max(0, slices.Index(ids, c.end))
	if c.end == 2 {
		at = slices.Index(ids, slices.Max(ids))
	}
	row := tensor.NewMat(1, c.Width)
	c.norm.Apply(row, x.Slice(at, at+1), r.ws)
	if c.project == nil {
		return row.Data
	}
	out := tensor.NewMat(1, c.Projection)
	c.project.Mul(out, row, r.ws)
	return out.Data
}
