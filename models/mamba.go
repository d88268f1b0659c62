package models

import (
	"encoding/json"
	"fmt"

	"github.com/mminfer/mminfer/nn"
)

// mambaConfig is the configuration of a model of Mamba-1 or Mamba-2 layers alone, in the layout of
// transformers or of flash-linear-attention, which share model types.
type mambaConfig struct {
	Width    int     `json:"hidden_size"`
	Layers   int     `json:"num_hidden_layers"`
	Vocab    int     `json:"vocab_size"`
	State    int     `json:"state_size"`
	Taps     int     `json:"conv_kernel"`
	Expand   float64 `json:"expand"`
	Bias     bool    `json:"use_bias"`
	ConvBias bool    `json:"use_conv_bias"`
	Act      string  `json:"hidden_act"`
	Tied     bool    `json:"tie_word_embeddings"`

	FLAEps   *float64   `json:"norm_eps"`
	FLARank  *autoSize  `json:"dt_rank"`
	FLALimit *timeLimit `json:"dt_limit"`
	Eps      float64    `json:"layer_norm_epsilon"`
	Rank     autoSize   `json:"time_step_rank"`
	Limit    timeLimit  `json:"time_step_limit"`

	Heads       *int `json:"num_heads"` // null: all that expand gives
	HeadDim     int  `json:"head_dim"`
	Groups      int  `json:"n_groups"`
	FLANorm     bool `json:"rmsnorm"`
	Norm        bool `json:"rms_norm"`
	NormFirst   bool `json:"norm_before_gate"`
	ChannelSkip bool `json:"D_has_hdim"`
}

// mambaDefaults returns the values of absent keys, which depend on type and layout.
func mambaDefaults(kind string, fla bool) mambaConfig {
	c := mambaConfig{
		Width: 768, Layers: 32, Vocab: 50280, State: 16, Taps: 4, Expand: 2, ConvBias: true, Act: "silu", Tied: kind == "mamba" && !fla,
		Eps: 1e-5, Limit: noLimit, HeadDim: 64, Groups: 8, FLANorm: true, Norm: true,
	}
	if kind == "mamba2" {
		c.Width, c.Layers, c.Vocab, c.State = 4096, 64, 32768, 128
	}
	if fla {
		c.Width, c.Layers, c.Vocab, c.Groups = 2048, 48, 32000, 1
	}
	return c
}

func (c *mambaConfig) validate() error {
	var is checks
	is.Positive("expand", c.Expand)
	is.That(c.Act == "silu" || c.Act == "swish", "hidden_act: found %q, expected silu", c.Act)
	is.That(c.Norm, "rms_norm: found false; the reference normalises all the same, so what is meant is unknown")
	return is.Err()
}

// inner is the width of the layers' inside.
func (c *mambaConfig) inner() int { return int(min(c.Expand*float64(c.Width), 1<<40)) }

// newMamba builds a model of Mamba-1 or Mamba-2 layers.
func newMamba(kind string, config []byte, p nn.Params) (*Model, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(config, &keys); err != nil {
		return nil, err
	}
	if keys["ssm_cfg"] != nil {
		return newStateSpaces(kind, config, p)
	}
	fla := keys["norm_eps"] != nil && string(keys["norm_eps"]) != "null"
	c := mambaDefaults(kind, fla)
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	if fla {
		c.Eps = *c.FLAEps
	}
	if c.FLARank != nil {
		c.Rank = *c.FLARank
	}
	if c.FLALimit != nil {
		c.Limit = *c.FLALimit
	}
	s := &mambaShell{width: c.Width, layers: c.Layers, vocab: c.Vocab, rows: c.Vocab, eps: c.Eps, tied: c.Tied, embed: "embeddings.weight"}
	if kind == "mamba" {
		return s.selective(p, &selective{
			width: c.Width, inner: c.inner(), state: c.State, rank: c.Rank.rank(c.Width), taps: c.Taps, bias: c.Bias, convBias: c.ConvBias,
		})
	}
	layer := &dual{
		width: c.Width, headDim: c.HeadDim, groups: c.Groups, state: c.State, taps: c.Taps, bias: c.Bias, outBias: c.Bias, convBias: c.ConvBias,
		channelSkip: c.ChannelSkip, norm: c.FLANorm, normFirst: c.NormFirst, eps: c.Eps, limit: c.Limit,
	}
	if layer.heads = c.inner() / max(1, c.HeadDim); c.Heads != nil {
		layer.heads = *c.Heads
	}
	return s.dual(p, layer, c.inner())
}

// mambaShell is what the models of Mamba layers alone share: h += mixer(RMS(h)), without MLPs.
type mambaShell struct {
	width, layers, vocab int
	rows                 int // of the embedding and the head, of which the first vocab count
	eps                  float64
	tied                 bool
	embed                string // the name of the embedding
}

func (s *mambaShell) validate(is *checks) {
	is.sizes(s.width, s.layers, s.vocab)
	is.That(s.rows >= s.vocab && s.rows <= maxVocab, "vocab_size: %d rows for %d tokens", s.rows, s.vocab)
	is.Positive("epsilon of the norms", s.eps)
}

// selective builds a model of Mamba-1 layers.
func (s *mambaShell) selective(p nn.Params, layer *selective) (*Model, error) {
	var is checks
	s.validate(&is)
	layer.validate(&is)
	if err := is.Err(); err != nil {
		return nil, err
	}
	return s.build(p, func(q nn.Params) nn.Mixer { return layer.build(q) }), nil
}

// dual builds a model of Mamba-2 layers of the given inner width.
func (s *mambaShell) dual(p nn.Params, layer *dual, inner int) (*Model, error) {
	var is checks
	s.validate(&is)
	layer.validate(&is)
	is.That(layer.inner() == inner, "num_heads: %d heads of %d are not the inner width %d", layer.heads, layer.headDim, inner)
	if err := is.Err(); err != nil {
		return nil, err
	}
	return s.build(p, func(q nn.Params) nn.Mixer { return layer.build(q) }), nil
}

func (s *mambaShell) build(p nn.Params, mixer func(q nn.Params) nn.Mixer) *Model {
	m := &Model{Vocab: s.vocab, Width: s.width}
	body := p.Sub("backbone")
	embed := body.Tensor(s.embed, s.rows, s.width)
	out := embed
	if !s.tied || p.Has("lm_head.weight") {
		out = p.Tensor("lm_head.weight", s.rows, s.width)
	}
	m.embed, m.head = pick(embed, 1, 0, s.vocab)[0], p.High().Linear(pick(out, 1, 0, s.vocab)...)
	m.norm = rmsNorm(body, "norm_f.weight", s.width, s.eps)
	for l := range s.layers {
		if p.TooMany() {
			break
		}
		q := body.Sub(fmt.Sprintf("layers.%d", l))
		m.layers = append(m.layers, Layer{Blocks: []nn.Block{{Norm: rmsNorm(q, "norm.weight", s.width, s.eps), Mixer: mixer(q.Sub("mixer"))}}})
	}
	return m
}

// stateSpacesConfig is the configuration of the official models, which name no model type.
type stateSpacesConfig struct {
	Width     int       `json:"d_model"`
	Layers    int       `json:"n_layer"`
	Vocab     int       `json:"vocab_size"`
	SSM       ssmConfig `json:"ssm_cfg"`
	RMSNorm   bool      `json:"rms_norm"`
	Pad       int       `json:"pad_vocab_size_multiple"`
	Tied      bool      `json:"tie_embeddings"`
	Inner     int       `json:"d_intermediate"`
	Attention []int     `json:"attn_layer_idx"`
}

// ssmConfig is the key ssm_cfg: the arguments of the layers.
type ssmConfig struct {
	Layer       string    `json:"layer"`
	State       *int      `json:"d_state"`
	Taps        int       `json:"d_conv"`
	Expand      float64   `json:"expand"`
	Rank        autoSize  `json:"dt_rank"`
	HeadDim     int       `json:"headdim"`
	Groups      int       `json:"ngroups"`
	Part        *int      `json:"d_ssm"`
	Bias        bool      `json:"bias"`
	ConvBias    bool      `json:"conv_bias"`
	ChannelSkip bool      `json:"D_has_hdim"`
	Norm        bool      `json:"rmsnorm"`
	NormFirst   bool      `json:"norm_before_gate"`
	Limit       timeLimit `json:"dt_limit"`
}

// UnmarshalJSON reads the object over the defaults of absent keys.
func (c *ssmConfig) UnmarshalJSON(data []byte) error {
	type plain ssmConfig
	p := plain{Layer: "Mamba1", Taps: 4, Expand: 2, HeadDim: 64, Groups: 1, ConvBias: true, Norm: true, Limit: noLimit}
	if err := decode(data, &p, "ssm_cfg"); err != nil {
		return err
	}
	*c = ssmConfig(p)
	return nil
}

// stateSpacesType returns the model type that the key ssm_cfg stands for.
func stateSpacesType(ssm []byte) (string, error) {
	var c ssmConfig
	if err := json.Unmarshal(ssm, &c); err != nil {
		return "", err
	}
	kind, ok := map[string]string{"Mamba1": "mamba", "Mamba2": "mamba2"}[c.Layer]
	if !ok {
		return "", fmt.Errorf("ssm_cfg.layer: found %.40q, expected Mamba1 or Mamba2", c.Layer)
	}
	return kind, nil
}

func (c *stateSpacesConfig) validate() error {
	var is checks
	is.That(c.RMSNorm, "rms_norm: found false; layer norms are another architecture")
	is.That(c.Inner == 0, "d_intermediate: found %d, expected 0: MLPs between the layers are another architecture", c.Inner)
	is.That(len(c.Attention) == 0, "attn_layer_idx: found %d layers, expected none: hybrids with attention are another architecture", len(c.Attention))
	is.That(c.SSM.Part == nil, "ssm_cfg.d_ssm: found %d, expected null: a state space over part of the channels is not supported", deref(c.SSM.Part))
	is.Between("pad_vocab_size_multiple", c.Pad, 1, 1<<16)
	is.Between("vocab_size", c.Vocab, 1, maxVocab)
	is.Positive("ssm_cfg.expand", c.SSM.Expand)
	return is.Err()
}

// newStateSpaces builds a model of the official layout.
func newStateSpaces(kind string, config []byte, p nn.Params) (*Model, error) {
	c := stateSpacesConfig{Width: 2560, Layers: 64, Vocab: 50277, RMSNorm: true, Pad: 8, Tied: true}
	if err := strict(config, &c); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	s := &mambaShell{
		width: c.Width, layers: c.Layers, vocab: c.Vocab, rows: (c.Vocab + c.Pad - 1) / c.Pad * c.Pad,
		eps: 1e-5, tied: c.Tied, embed: "embedding.weight",
	}
	a, inner := &c.SSM, int(min(c.SSM.Expand*float64(c.Width), 1<<40))
	state := func(otherwise int) int {
		if a.State == nil {
			return otherwise
		}
		return *a.State
	}
	if kind == "mamba" {
		return s.selective(p, &selective{
			width: c.Width, inner: inner, state: state(16), rank: a.Rank.rank(c.Width), taps: a.Taps, bias: a.Bias, convBias: a.ConvBias,
		})
	}
	return s.dual(p, &dual{
		width: c.Width, heads: inner / max(1, a.HeadDim), headDim: a.HeadDim, groups: a.Groups, state: state(128), taps: a.Taps,
		bias: a.Bias, outBias: a.Bias, convBias: a.ConvBias, channelSkip: a.ChannelSkip, norm: a.Norm, normFirst: a.NormFirst, eps: 1e-5, limit: a.Limit,
	}, inner)
}
