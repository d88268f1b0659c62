package models

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// momConfig is the configuration of a mixture of memories over gated delta rules, in the layout
// of flash-linear-attention (mom) or of the released checkpoints (mom_gated_deltanet).
type momConfig struct {
	ModelType    string  `json:"model_type"`
	Width        int     `json:"hidden_size"`
	Layers       int     `json:"num_hidden_layers"`
	Vocab        int     `json:"vocab_size"`
	Heads        int     `json:"num_heads"`
	HeadDim      int     `json:"head_dim"`
	ExpandV      float64 `json:"expand_v"`
	Memories     int     `json:"num_memories"`
	TopK         int     `json:"topk"`
	Shared       bool    `json:"shared_mem"`
	OneKV        bool    `json:"single_kv_proj"`
	OutputGate   bool    `json:"use_output_gate"` // mom
	Gate         bool    `json:"use_gate"`        // mom_gated_deltanet
	ShortConv    bool    `json:"use_short_conv"`
	Taps         int     `json:"conv_size"`
	HiddenRatio  float64 `json:"hidden_ratio"`
	Intermediate *int    `json:"intermediate_size"`
	Act          string  `json:"hidden_act"`
	Eps          float64 `json:"norm_eps"`
	NormFirst    bool    `json:"norm_first"`
	Tied         bool    `json:"tie_word_embeddings"`
	Capacity     float64 `json:"capacity"`
	Backend      string  `json:"mom_backend"`
	AttnRes      *int    `json:"attnres_block_size"`
	Attn         momAttn `json:"attn"`
}

// momAttn is the key attn: null, one object or a list of them.
type momAttn []momAttnSpec

// momAttnSpec says which layers are softmax attentions, and of what kind.
type momAttnSpec struct {
	Layers  []int   `json:"layers"`
	Heads   int     `json:"num_heads"`
	KVHeads *int    `json:"num_kv_heads"`
	Window  *int    `json:"window_size"`
	Bias    bool    `json:"qkv_bias"`
	Theta   float64 `json:"rope_theta"`
}

// UnmarshalJSON reads null, an object or a list of objects.
func (a *momAttn) UnmarshalJSON(data []byte) error {
	var list []json.RawMessage
	switch {
	case string(data) == "null":
		return nil
	case data[0] == '{':
		list = []json.RawMessage{data}
	default:
		if err := json.Unmarshal(data, &list); err != nil {
			return err
		}
	}
	for _, raw := range list {
		s := momAttnSpec{Theta: 10000}
		if err := decode(raw, &s, "attn"); err != nil {
			return err
		}
		*a = append(*a, s)
	}
	return nil
}

// momDefaults returns the values of absent keys, which depend on the type.
func momDefaults(kind string) momConfig {
	c := momConfig{
		Width: 2048, Layers: 24, Vocab: 32000, Heads: 4, HeadDim: 256, ExpandV: 1, Memories: 4, TopK: 2, Shared: true,
		OutputGate: true, Gate: true, ShortConv: true, Taps: 4, HiddenRatio: 4, Act: "swish", Eps: 1e-6, Capacity: 1,
		Backend: "gated_deltanet",
	}
	if kind == "mom_gated_deltanet" {
		c.Layers, c.Heads, c.ExpandV, c.Memories, c.Shared = 21, 6, 2, 8, false
	}
	return c
}

// valueDim is the width of a head's values.
func (c *momConfig) valueDim() int { return int(math.Round(float64(c.HeadDim) * c.ExpandV)) }

// inner is the width of the MLP.
func (c *momConfig) inner() int {
	if c.Intermediate != nil {
		return *c.Intermediate
	}
	return (int(float64(c.Width)*c.HiddenRatio*2/3) + 255) / 256 * 256
}

func (c *momConfig) gated() bool {
	if c.ModelType == "mom" {
		return c.OutputGate
	}
	return c.Gate
}

func (c *momConfig) validate() error {
	var is checks
	is.between("hidden_size", c.Width, 1, maxWidth)
	is.between("num_hidden_layers", c.Layers, 1, maxLayers)
	is.between("vocab_size", c.Vocab, 1, maxVocab)
	is.between("num_heads", c.Heads, 1, maxHeads)
	is.between("head_dim", c.HeadDim, 1, maxWidth)
	is.between("num_memories", c.Memories, 1, maxHeads)
	is.between("topk", c.TopK, 1, max(1, c.Memories))
	is.between("conv_size", c.Taps, 1, 256)
	is.positive("norm_eps", c.Eps)
	is.positive("expand_v", c.ExpandV)
	is.positive("hidden_ratio", c.HiddenRatio)
	if err := is.err(); err != nil {
		return err
	}
	is.between("intermediate_size", c.inner(), 1, 16*maxWidth)
	v := float64(c.HeadDim) * c.ExpandV
	is.that(v >= 1 && v <= maxWidth && math.Abs(v-math.Round(v)) < 1e-9, "expand_v: head_dim · expand_v is %v, expected a whole number up to %d", v, maxWidth)
	is.that(c.Act == "swish" || c.Act == "silu", "hidden_act: found %q, expected swish or silu", c.Act)
	is.that(c.ShortConv, "use_short_conv: found false; a gated delta rule needs its short convolution")
	is.that(c.Capacity >= 1, "capacity: found %v; below 1 the result depends on the length of a call, which is not supported", c.Capacity)
	is.that(c.Backend == "gated_deltanet", "mom_backend: found %q, expected gated_deltanet", c.Backend)
	is.that(c.AttnRes == nil, "attnres_block_size: found %d, expected null; attention over residuals is not supported", deref(c.AttnRes))
	seen := map[int]bool{}
	for _, a := range c.Attn {
		a.validate(c, &is, seen)
	}
	return is.err()
}

func (a *momAttnSpec) validate(c *momConfig, is *checks, seen map[int]bool) {
	for _, l := range a.Layers {
		is.between("attn.layers", l, 0, c.Layers-1)
		is.that(!seen[l], "attn.layers: layer %d is listed twice", l)
		seen[l] = true
	}
	is.between("attn.num_heads", a.Heads, 1, maxHeads)
	is.between("attn.num_kv_heads", a.kvHeads(), 1, maxHeads)
	if a.Heads < 1 || a.kvHeads() < 1 {
		return
	}
	is.that(c.Width%a.Heads == 0 && c.Width/a.Heads%2 == 0, "attn.num_heads: %d heads of a width of %d, expected heads of an even width", a.Heads, c.Width)
	is.that(a.Heads%a.kvHeads() == 0, "attn.num_kv_heads: %d does not divide the %d heads", a.kvHeads(), a.Heads)
	is.that(a.Window == nil || *a.Window >= 1, "attn.window_size: found %d, expected null or at least 1", deref(a.Window))
	is.that(!a.Bias, "attn.qkv_bias: found true; the reference does not pass it on, so what is meant is unknown")
	is.that(a.Theta == 10000, "attn.rope_theta: found %v; the reference does not pass it on and computes with 10000", a.Theta)
}

// kvHeads is the number of heads with keys: all, unless the key says otherwise.
func (a *momAttnSpec) kvHeads() int {
	if a.KVHeads == nil {
		return a.Heads
	}
	return *a.KVHeads
}

// deref returns what p points to, 0 if it is nil.
func deref(p *int) int {
	if p == nil {
		return 0
	}
	return *p
}

// newMoM builds a mixture of memories, hybrids with attention layers included.
func newMoM(kind string, config []byte, p nn.Params) (*Model, error) {
	c := momDefaults(kind)
	if err := decode(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	attention := map[int]*momAttnSpec{}
	for i := range c.Attn {
		for _, l := range c.Attn[i].Layers {
			attention[l] = &c.Attn[i]
		}
	}
	m := &Model{Vocab: c.Vocab, Width: c.Width}
	body := p.Sub("model")
	m.embed = body.Tensor("embeddings.weight", c.Vocab, c.Width)
	m.norm = rmsNorm(body, "norm.weight", c.Width, c.Eps)
	m.head = head(p, m.embed, "lm_head.weight", c.Tied)
	for l := range c.Layers {
		if p.TooMany() {
			break
		}
		q := body.Sub(fmt.Sprintf("layers.%d", l))
		norm, mixer := nn.Norm{}, nn.Mixer(nil)
		if !c.NormFirst {
			norm = rmsNorm(q, "attn_norm.weight", c.Width, c.Eps)
		}
		if a := attention[l]; a != nil {
			mixer = a.build(q.Sub("attn"), c.Width)
		} else {
			mixer = c.memories(q.Sub("attn"))
		}
		m.layers = append(m.layers, Layer{[]nn.Block{{Norm: norm, Mixer: mixer}, c.mlp(q)}})
	}
	return m, nil
}

// mlp builds the MLP block, whose gate and up projections are two tensors or one.
func (c *momConfig) mlp(p nn.Params) nn.Block {
	norm := nn.Norm{}
	if c.NormFirst {
		// The reference passes no epsilon here: its default applies (fla, layernorm.py, rms_norm_linear).
		norm = rmsNorm(p, "mlp.norm.weight", c.Width, 1e-5)
	} else {
		norm = rmsNorm(p, "mlp_norm.weight", c.Width, c.Eps)
	}
	p = p.Sub("mlp")
	var parts []tensor.Tensor
	if p.Has("up_proj.weight") {
		parts = []tensor.Tensor{p.Tensor("gate_proj.weight", c.inner(), c.Width), p.Tensor("up_proj.weight", c.inner(), c.Width)}
	} else {
		parts = []tensor.Tensor{p.Tensor("gate_proj.weight", 2*c.inner(), c.Width)}
	}
	return nn.Block{Norm: norm, Mixer: &nn.SwiGLU{GateUp: p.Linear(parts...), Down: p.Linear(p.Tensor("down_proj.weight", c.Width, c.inner()))}}
}

// build makes an attention layer.
func (a *momAttnSpec) build(p nn.Params, width int) nn.Mixer {
	dim := width / a.Heads
	kv := a.kvHeads() * dim
	return &nn.Attention{
		Heads: a.Heads, KVHeads: a.kvHeads(), Dim: dim, Window: deref(a.Window), Rope: nn.NewRope(a.Theta, dim),
		QKV: p.Linear(p.Tensor("q_proj.weight", width, width), p.Tensor("k_proj.weight", kv, width), p.Tensor("v_proj.weight", kv, width)),
		Out: p.Linear(p.Tensor("o_proj.weight", width, width)),
	}
}

// memories makes a mixture-of-memories layer.
func (c *momConfig) memories(p nn.Params) nn.Mixer {
	d, hk, hv := c.Width, c.Heads*c.HeadDim, c.Heads*c.valueDim()
	m := &nn.MoM{
		Heads: c.Heads, KeyDim: c.HeadDim, ValueDim: c.valueDim(), Memories: c.Memories, TopK: c.TopK,
		Shared: c.Shared, OneKV: c.OneKV, Gated: c.gated(), Taps: c.Taps,
		DtBias: p.Vec("dt_bias", c.Heads), NegA: p.Vec("A_log", c.Heads),
		Norm: rmsNorm(p, "o_norm.weight", c.valueDim(), c.Eps),
		Out:  p.Linear(p.Tensor("o_proj.weight", d, hv)),
	}
	for i, a := range m.NegA {
		m.NegA[i] = float32(-math.Exp(float64(a)))
	}
	p.Drop("D")
	common := []tensor.Tensor{p.Tensor("q_proj.weight", hk, d)}
	small := []tensor.Tensor{p.Tensor("gate.weight", c.Memories, d)}
	var beta, decay []tensor.Tensor
	if !c.OneKV {
		for i := range c.Memories {
			name := func(proj string) string { return fmt.Sprintf("%s.%d.weight", proj, i) }
			m.KV = append(m.KV, p.Linear(p.Tensor(name("k_proj"), hk, d), p.Tensor(name("v_proj"), hv, d)))
			beta, decay = append(beta, p.Tensor(name("b_proj"), c.Heads, d)), append(decay, p.Tensor(name("a_proj"), c.Heads, d))
		}
	}
	if c.Shared || c.OneKV {
		common = append(common, p.Tensor("shared_k.weight", hk, d), p.Tensor("shared_v.weight", hv, d))
		beta, decay = append(beta, p.Tensor("shared_b.weight", c.Heads, d)), append(decay, p.Tensor("shared_a.weight", c.Heads, d))
	}
	if m.Gated {
		common = append(common, p.Tensor("g_proj.weight", hv, d))
	}
	m.Common = p.Linear(common...)
	m.Small = p.Exact(append(append(small, beta...), decay...)...)
	for i, proj := range []string{"q_conv1d.weight", "k_conv1d.weight", "v_conv1d.weight"} {
		width := []int{c.HeadDim, c.HeadDim, c.valueDim()}[i]
		m.Conv[i] = headTaps(p.Vec(proj, c.Heads*width, 1, c.Taps), c.Heads, width, c.Taps)
	}
	return m
}

// headTaps reorders convolution weights [heads·width, taps] to [heads, taps, width].
func headTaps(w []float32, heads, width, taps int) []float32 {
	if w == nil {
		return nil
	}
	out := make([]float32, len(w))
	for h := range heads {
		for c := range width {
			for t := range taps {
				out[(h*taps+t)*width+c] = w[(h*width+c)*taps+t]
			}
		}
	}
	return out
}
