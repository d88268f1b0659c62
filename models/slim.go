package models

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// slim is what the configuration of a transformer adds whose layers keep different numbers of heads
// and of neurons, none included. Attentions and MLPs may then have biases of their outputs, and those
// without heads or neurons are only that.
type slim struct {
	HeadsList   []int `json:"num_attention_heads_list"`
	KVHeadsList []int `json:"num_key_value_heads_list"`
	InnerList   []int `json:"intermediate_size_list"`
}

// listed reports whether layers have sizes of their own.
func (s *slim) listed() bool { return s.HeadsList != nil || s.KVHeadsList != nil || s.InnerList != nil }

func (s *slim) validate(is *checks, c *decoder) {
	if !s.listed() || is.Err() != nil {
		return
	}
	for _, list := range []struct {
		key  string
		of   []int
		most int
	}{{"num_attention_heads_list", s.HeadsList, maxHeads}, {"num_key_value_heads_list", s.KVHeadsList, maxHeads}, {"intermediate_size_list", s.InnerList, 16 * maxWidth}} {
		is.That(len(list.of) == c.Layers, "%s: found %d, expected %d", list.key, len(list.of), c.Layers)
		for _, n := range list.of {
			is.Between(list.key, n, 0, list.most)
		}
	}
	for l := range min(len(s.HeadsList), len(s.KVHeadsList)) {
		heads, kv := s.HeadsList[l], s.KVHeadsList[l]
		is.That(heads == 0 && kv == 0 || kv > 0 && heads > 0 && heads%kv == 0, "num_attention_heads_list: layer %d has %d heads, %d of them with keys", l, heads, kv)
	}
}

// at is the configuration of layer l.
func (s *slim) at(c *decoder, l int) *decoder {
	d := *c
	if s.listed() {
		d.HeadDim = new(c.headDim())
		d.Heads, d.KVHeads, d.Inner = s.HeadsList[l], &s.KVHeadsList[l], s.InnerList[l]
	}
	return &d
}

// biases says which projections of a family have biases.
type biases struct{ qkv, out, mlp bool }

// layer returns the attention and the MLP of layer l, each after its norm. Tune completes the
// attention.
func (s *slim) layer(c *decoder, q nn.Params, l int, rope *nn.Rope, b biases, tune func(p nn.Params, a *nn.Attention)) []nn.Block {
	d, a, m := s.at(c, l), q.Sub("self_attn"), q.Sub("mlp")
	blocks := d.layer(q, rmsNorm, nil, nil)
	if d.Heads == 0 {
		blocks[0] = nn.Block{Mixer: &nn.Constant{Bias: s.bias(a, "o_proj.bias", b.out, d.Width)}}
	} else {
		attention := d.attention(a, rope, b.qkv, false)
		attention.Out.Bias = s.bias(a, "o_proj.bias", b.out, d.Width)
		size := d.headDim()
		attention.Adapter = corrected(a, d.Width, part{"q_proj", d.Heads * size}, part{"k_proj", d.kvHeads() * size}, part{"v_proj", d.kvHeads() * size})
		attention.OutAdapter = corrected(a, d.Heads*size, part{"o_proj", d.Width})
		tune(a, attention)
		blocks[0].Mixer = attention
	}
	if d.Inner == 0 {
		blocks[1] = nn.Block{Mixer: &nn.Constant{Bias: s.bias(m, "down_proj.bias", b.mlp, d.Width)}}
	} else {
		mlp := d.mlp(m, b.mlp)
		if !b.mlp {
			mlp.Down.Bias = s.bias(m, "down_proj.bias", false, d.Width)
		}
		mlp.Adapter = corrected(m, d.Width, part{"gate_proj", d.Inner}, part{"up_proj", d.Inner})
		mlp.DownAdapter = corrected(m, d.Inner, part{"down_proj", d.Width})
		blocks[1].Mixer = mlp
	}
	return blocks
}

// bias takes the bias of an output: one that must be there, or one of a layer with sizes of its own.
func (s *slim) bias(p nn.Params, name string, must bool, width int) []float32 {
	if must || s.listed() && p.Has(name) {
		return p.Vec(name, width)
	}
	return nil
}

// corrected takes the correction of projections of one input of cols columns, nil if they have none:
// each gains low_rank_b · low_rank_a.
func corrected(p nn.Params, cols int, parts ...part) *nn.Adapter {
	if !p.Has(parts[0].name + ".low_rank_a") {
		return nil
	}
	adapter := new(nn.Adapter)
	var down []tensor.Tensor
	for _, t := range parts {
		r := p.Rows(t.name + ".low_rank_a")
		down = append(down, p.Tensor(t.name+".low_rank_a", r, cols))
		adapter.Up = append(adapter.Up, p.Exact(p.Tensor(t.name+".low_rank_b", t.rows, r)))
	}
	adapter.Down = p.Exact(down...)
	return adapter
}
