package models

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// linearAttnCell is the mixer of linear_attn: linear attention with feature maps.
type linearAttnCell struct {
	Heads     int     `json:"num_heads"`
	KVHeads   *int    `json:"num_kv_heads"`
	ExpandK   float64 `json:"expand_k"`
	ExpandV   float64 `json:"expand_v"`
	Map       string  `json:"feature_map"`
	TieMaps   bool    `json:"tie_feature_map_qk"`
	NormQ     bool    `json:"norm_q"`
	NormK     bool    `json:"norm_k"`
	Normalise bool    `json:"norm_feature_map"`

	grouped
}

func newLinearAttn(_ string, config []byte, p nn.Params) (*Model, error) {
	return buildFLA(config, p, flaDefaults(), linearAttnDefaults())
}

func linearAttnDefaults() *linearAttnCell {
	return &linearAttnCell{Heads: 4, ExpandK: 1, ExpandV: 1, Map: "elementwise_product"}
}

// grouped are the sizes of heads that share keys and values in groups.
type grouped struct{ heads, kv, dimK, dimV int }

// group checks and computes the sizes.
func (c *checks) group(width, heads int, kvHeads *int, expandK, expandV float64) grouped {
	g := grouped{heads: heads, kv: heads}
	if kvHeads != nil {
		g.kv = *kvHeads
	}
	c.Between("num_heads", heads, 1, maxHeads)
	c.Between("num_kv_heads", g.kv, 1, maxHeads)
	if heads > 0 && g.kv > 0 {
		c.That(heads%g.kv == 0, "num_kv_heads: %d does not divide the %d heads", g.kv, heads)
	}
	g.dimK, g.dimV = c.headDim("expand_k", width, expandK, heads), c.headDim("expand_v", width, expandV, heads)
	return g
}

func (g grouped) sizes(*flaConfig) (q, k, v int) {
	return g.heads * g.dimK, g.kv * g.dimK, g.kv * g.dimV
}

func (c *linearAttnCell) validate(is *checks, sh *flaConfig) {
	c.grouped = is.group(sh.Width, c.Heads, c.KVHeads, c.ExpandK, c.ExpandV)
	is.activation("feature_map", c.Map, "identity", "relu", "elu", "silu", "swish", "t2r", "hedgehog", "elementwise_product", "dpfp")
}

func (c *linearAttnCell) mixer(p nn.Params, sh *flaConfig, _ int) nn.Mixer {
	return recurrent(c, p, sh)
}

func (c *linearAttnCell) recurrence(p nn.Params, _ *flaConfig) nn.Recurrence {
	m := &nn.LinearAttn{
		Heads: c.heads, KVHeads: c.kv, KeyDim: c.dimK, ValueDim: c.dimV,
		NormQ: c.NormQ, NormK: c.NormK, Normalise: c.Normalise,
	}
	query, key := p.Sub("feature_map_q"), p.Sub("feature_map_k")
	if c.TieMaps { // a file may hold both names of the one map, or either
		for _, n := range []string{"layer.weight", "layer.bias", "layer1.weight", "layer1.bias", "layer2.weight", "layer2.bias"} {
			if query.Has(n) {
				key.Drop(n)
			} else if key.Has(n) {
				query = key
			}
		}
		m.Query = featureMap(query, c.Map, c.dimK)
		m.Key = m.Query
		return m
	}
	m.Query, m.Key = featureMap(query, c.Map, c.dimK), featureMap(key, c.Map, c.dimK)
	return m
}

// featureMap makes the map of the given name for heads of k entries.
func featureMap(p nn.Params, name string, k int) *nn.FeatureMap {
	square := func(n string) tensor.Tensor { return p.Tensor(n, k, k) }
	switch name {
	case "t2r":
		return &nn.FeatureMap{Kind: nn.MapT2R, Proj: p.Exact(square("layer.weight"))}
	case "hedgehog":
		return &nn.FeatureMap{Kind: nn.MapHedgehog, Proj: p.Exact(square("layer.weight")), Bias: p.Vec("layer.bias", k)}
	case "elementwise_product":
		return &nn.FeatureMap{
			Kind: nn.MapProduct, Proj: p.Exact(square("layer1.weight"), square("layer2.weight")),
			Bias: append(p.Vec("layer1.bias", k), p.Vec("layer2.bias", k)...),
		}
	case "dpfp":
		return &nn.FeatureMap{Kind: nn.MapDPFP}
	}
	return &nn.FeatureMap{Kind: nn.MapActivation, Act: activations[name]}
}

func (*linearAttnCell) rates(nn.Params, naming, *flaConfig) nn.Rates { return nn.Rates{} }

func (c *linearAttnCell) output(p nn.Params, sh *flaConfig) (nn.Output, []tensor.Tensor) {
	return nn.Output{
		Norm: sh.affineNorm(p, "norm.weight", c.dimV, sh.Eps),
		Proj: p.High().Linear(p.Tensor("o_proj.weight", sh.Width, c.heads*c.dimV)),
	}, nil
}
