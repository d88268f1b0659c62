package models

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// flaConfig is what the architectures of flash-linear-attention have in common: the shell around
// a mixer, with softmax attentions in some layers. Keys that fuse operations change no numbers.
type flaConfig struct {
	Width        int      `json:"hidden_size"`
	Layers       int      `json:"num_hidden_layers"`
	Vocab        int      `json:"vocab_size"`
	HiddenRatio  *float64 `json:"hidden_ratio"`
	Intermediate *int     `json:"intermediate_size"`
	Act          string   `json:"hidden_act"`
	Eps          float64  `json:"norm_eps"`
	NormFirst    bool     `json:"norm_first"`
	Affine       bool     `json:"elementwise_affine"`
	FuseNorm     bool     `json:"fuse_norm"`
	Tied         bool     `json:"tie_word_embeddings"`
	AttnRes      *int     `json:"attnres_block_size"`
	Attn         flaAttn  `json:"attn"`

	fused bool // gate and up projections of the MLP are one tensor unless the file says otherwise
}

// flaDefaults returns the values of absent keys that most architectures share.
func flaDefaults() *flaConfig {
	return &flaConfig{Width: 2048, Layers: 24, Vocab: 32000, Act: "swish", Eps: 1e-6, Affine: true, FuseNorm: true}
}

// flaCell is the part of a configuration that belongs to one architecture's mixer.
type flaCell interface {
	// validate checks the keys; the shell's are checked already.
	validate(is *checks, sh *flaConfig)
	// mixer makes the mixer of a layer from its tensors.
	mixer(p nn.Params, sh *flaConfig, layer int) nn.Mixer
}

// flaBody is a cell that takes tensors of the whole model.
type flaBody interface {
	body(p nn.Params, sh *flaConfig)
}

// buildFLA builds a model of the shell around the mixers of a cell; both hold the values of
// absent keys.
func buildFLA(config []byte, p nn.Params, sh *flaConfig, cell flaCell) (*Model, error) {
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
	attention := map[int]*flaAttnSpec{}
	for i := range sh.Attn {
		for _, l := range sh.Attn[i].Layers {
			attention[l] = &sh.Attn[i]
		}
	}
	m := &Model{Vocab: sh.Vocab, Width: sh.Width}
	body := p.Sub("model")
	m.embed = body.Tensor("embeddings.weight", sh.Vocab, sh.Width)
	m.norm = rmsNorm(body, "norm.weight", sh.Width, sh.Eps)
	m.head = head(p, m.embed, "lm_head.weight", sh.Tied)
	if b, ok := cell.(flaBody); ok {
		b.body(body, sh)
	}
	for l := range sh.Layers {
		if p.TooMany() {
			break
		}
		q := body.Sub(fmt.Sprintf("layers.%d", l))
		norm, mlp := sh.norms(q, cell)
		var mixer nn.Mixer
		if a := attention[l]; a != nil {
			mixer = a.build(q.Sub("attn"), sh.Width)
		} else {
			mixer = cell.mixer(q.Sub("attn"), sh, l)
		}
		m.layers = append(m.layers, Layer{Blocks: []nn.Block{{Norm: norm, Mixer: mixer}, {Norm: mlp, Mixer: sh.mlp(q.Sub("mlp"))}}})
	}
	return m, nil
}

func (c *flaConfig) validate(is *checks) {
	is.sizes(c.Width, c.Layers, c.Vocab)
	is.Positive("norm_eps", c.Eps)
	if c.HiddenRatio != nil {
		is.Positive("hidden_ratio", *c.HiddenRatio)
	}
	if is.Err() != nil {
		return
	}
	is.Between("intermediate_size", c.inner(), 1, 16*maxWidth)
	is.That(c.Act == "swish" || c.Act == "silu", "hidden_act: found %q, expected swish or silu", c.Act)
	is.That(c.AttnRes == nil, "attnres_block_size: found %d, expected null; attention over residuals is not supported", deref(c.AttnRes))
	seen := map[int]bool{}
	for _, a := range c.Attn {
		a.validate(is, c, seen)
	}
}

// inner is the width of the MLP.
func (c *flaConfig) inner() int {
	if c.Intermediate != nil {
		return *c.Intermediate
	}
	ratio := 4.0
	if c.HiddenRatio != nil {
		ratio = *c.HiddenRatio
	}
	return (int(min(float64(c.Width)*ratio*2/3, 1e9)) + 255) / 256 * 256
}

// normFirst is a cell whose layers may have their norms inside the mixer and the MLP.
type normFirst interface{ mixerNorm() string }

// norms takes the norms before a layer's mixer and its MLP. Where a layer has them inside, the
// reference gives the one of the MLP no epsilon: its default applies (fla, layernorm.py,
// rms_norm_linear).
func (c *flaConfig) norms(p nn.Params, cell flaCell) (mixer, mlp nn.Norm) {
	inside, ok := cell.(normFirst)
	if !ok || !c.NormFirst {
		return rmsNorm(p, "attn_norm.weight", c.Width, c.Eps), rmsNorm(p, "mlp_norm.weight", c.Width, c.Eps)
	}
	if name := inside.mixerNorm(); name != "" {
		mixer = rmsNorm(p, name, c.Width, c.Eps)
	}
	return mixer, rmsNorm(p, "mlp.norm.weight", c.Width, 1e-5)
}

// mlp makes the MLP, whose gate and up projections are two tensors or, in older files, one.
func (c *flaConfig) mlp(p nn.Params) nn.Mixer {
	inner := c.inner()
	parts := []tensor.Tensor{}
	if !p.Has("up_proj.weight") && (c.fused || p.Rows("gate_proj.weight") == 2*inner) {
		parts = append(parts, p.Tensor("gate_proj.weight", 2*inner, c.Width))
	} else {
		parts = append(parts, p.Tensor("gate_proj.weight", inner, c.Width), p.Tensor("up_proj.weight", inner, c.Width))
	}
	return &nn.SwiGLU{GateUp: p.Linear(parts...), Down: p.Linear(p.Tensor("down_proj.weight", c.Width, inner))}
}

// flaAttn is the key attn: null, one object or a list of them.
type flaAttn []flaAttnSpec

// flaAttnSpec says which layers are softmax attentions, and of what kind.
type flaAttnSpec struct {
	Layers  []int   `json:"layers"`
	Heads   int     `json:"num_heads"`
	KVHeads *int    `json:"num_kv_heads"`
	Window  *int    `json:"window_size"`
	Bias    bool    `json:"qkv_bias"`
	QKNorm  bool    `json:"qk_norm"`
	Theta   float64 `json:"rope_theta"`
}

// UnmarshalJSON reads null, an object or a list of objects.
func (a *flaAttn) UnmarshalJSON(data []byte) error {
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
		s := flaAttnSpec{Theta: 10000}
		if err := decode(raw, &s, "attn"); err != nil {
			return err
		}
		*a = append(*a, s)
	}
	return nil
}

func (a *flaAttnSpec) validate(is *checks, c *flaConfig, seen map[int]bool) {
	for _, l := range a.Layers {
		is.Between("attn.layers", l, 0, c.Layers-1)
		is.That(!seen[l], "attn.layers: layer %d is listed twice", l)
		seen[l] = true
	}
	is.Between("attn.num_heads", a.Heads, 1, maxHeads)
	is.Between("attn.num_kv_heads", a.kvHeads(), 1, maxHeads)
	if a.Heads < 1 || a.kvHeads() < 1 {
		return
	}
	is.That(c.Width%a.Heads == 0 && c.Width/a.Heads%2 == 0, "attn.num_heads: %d heads of a width of %d, expected heads of an even width", a.Heads, c.Width)
	is.That(a.Heads%a.kvHeads() == 0, "attn.num_kv_heads: %d does not divide the %d heads", a.kvHeads(), a.Heads)
	is.That(a.Window == nil || *a.Window >= 1, "attn.window_size: found %d, expected null or at least 1", deref(a.Window))
	is.That(!a.QKNorm, "attn.qk_norm: found true; norms of queries and keys are not supported here")
	is.Positive("attn.rope_theta", a.Theta)
}

// kvHeads is the number of heads with keys: all, unless the key says otherwise.
func (a *flaAttnSpec) kvHeads() int {
	if a.KVHeads == nil {
		return a.Heads
	}
	return *a.KVHeads
}

// build makes an attention layer.
func (a *flaAttnSpec) build(p nn.Params, width int) nn.Mixer {
	dim := width / a.Heads
	kv := a.kvHeads() * dim
	m := &nn.Attention{
		Heads: a.Heads, KVHeads: a.kvHeads(), Dim: dim, Window: deref(a.Window), Rope: nn.NewRope(a.Theta, dim),
		QKV: p.Linear(p.Tensor("q_proj.weight", width, width), p.Tensor("k_proj.weight", kv, width), p.Tensor("v_proj.weight", kv, width)),
		Out: p.Linear(p.Tensor("o_proj.weight", width, width)),
	}
	if a.Bias {
		for _, b := range [][]float32{p.Vec("q_proj.bias", width), p.Vec("k_proj.bias", kv), p.Vec("v_proj.bias", kv)} {
			m.QKV.Bias = append(m.QKV.Bias, b...)
		}
	}
	return m
}

// deref returns what p points to, 0 if it is nil.
func deref(p *int) int {
	if p == nil {
		return 0
	}
	return *p
}

// activations are the names of activations that a configuration may hold.
var activations = map[string]nn.Activation{
	"identity": nn.Identity, "relu": nn.ReLU, "sqrelu": nn.SquaredReLU, "silu": nn.SiLU, "swish": nn.SiLU,
	"sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "elu": nn.ELUPlusOne,
}

// activation checks that a name is one of those listed.
func (c *checks) activation(key, name string, of ...string) {
	for _, n := range of {
		if n == name {
			return
		}
	}
	c.That(false, "%s: found %q, expected one of %v", key, name, of)
}

// headDim returns the width of a head where heads share width·expand, which must be a whole
// multiple of them.
func (c *checks) headDim(key string, width int, expand float64, heads int) int {
	c.Positive(key, expand)
	if heads < 1 || !(expand > 0) {
		return 0
	}
	all := math.Round(float64(width) * expand)
	c.That(all >= 1 && all <= maxWidth && math.Abs(all-float64(width)*expand) < 1e-6 && int(all)%heads == 0,
		"%s: hidden_size · %s is %v, expected a whole number up to %d that the %d heads divide", key, key, float64(width)*expand, maxWidth, heads)
	return int(min(all, maxWidth)) / heads
}

// naming gives the tensor of a projection, such as gk_proj.1.bias for gk and .1.bias.
type naming func(projection, rest string) string

func plainName(projection, rest string) string { return projection + "_proj" + rest }

// projected is a cell of a recurrence that projections feed: alone, or as a memory of many.
type projected interface {
	flaCell
	// sizes tells the widths of queries, keys and values, all heads together.
	sizes(sh *flaConfig) (q, k, v int)
	recurrence(p nn.Params, sh *flaConfig) nn.Recurrence
	rates(p nn.Params, name naming, sh *flaConfig) nn.Rates
	// output makes what follows the recurrence, and takes the projection of its gate, if any.
	output(p nn.Params, sh *flaConfig) (nn.Output, []tensor.Tensor)
}

// recurrent makes the mixer of one recurrence.
func recurrent(c projected, p nn.Params, sh *flaConfig) *nn.Recurrent {
	q, k, v := c.sizes(sh)
	out, gate := c.output(p, sh)
	in := []tensor.Tensor{p.Tensor("q_proj.weight", q, sh.Width), p.Tensor("k_proj.weight", k, sh.Width), p.Tensor("v_proj.weight", v, sh.Width)}
	return &nn.Recurrent{Rec: c.recurrence(p, sh), In: p.Linear(append(in, gate...)...), Rates: c.rates(p, plainName, sh), Output: out}
}

// ones is the weight of a norm that has none.
func ones(n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

// affineNorm takes a norm's weight if norms have any.
func (c *flaConfig) affineNorm(p nn.Params, name string, width int, eps float64) nn.Norm {
	if !c.Affine {
		return nn.Norm{Weight: ones(width), Eps: float32(eps)}
	}
	return rmsNorm(p, name, width, eps)
}

// gatedOutput makes a norm over the values of a head, a gate with SiLU if there is one, and the
// output projection. The norm's name depends on what is fused with it.
func (c *flaConfig) gatedOutput(p nn.Params, heads, dim int, gated bool) (nn.Output, []tensor.Tensor) {
	fusedName, name := "g_norm_swish_gate.weight", "g_norm.weight"
	if gated && c.FuseNorm && !p.Has(name) || p.Has(fusedName) {
		name = fusedName
	}
	out := nn.Output{Norm: c.affineNorm(p, name, dim, c.Eps), Proj: p.High().Linear(p.Tensor("o_proj.weight", c.Width, heads*dim))}
	if !gated {
		return out, nil
	}
	out.After = nn.SiLU
	return out, []tensor.Tensor{p.Tensor("g_proj.weight", heads*dim, c.Width)}
}

// shortConvs takes the filters of three projections, which have heads of the given widths.
func shortConvs(p nn.Params, names [3]string, channels, widths [3]int, taps int) (c [3]*nn.ShortConv) {
	for i, n := range names {
		c[i] = nn.NewShortConv(p.Vec(n+"_conv1d.weight", channels[i], 1, taps), widths[i], taps)
	}
	return c
}

// qkv are the projections that most short convolutions follow.
var qkv = [3]string{"q", "k", "v"}
