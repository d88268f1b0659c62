package models

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/mminfer/mminfer/nn"
)

// mmMambaConfig is the configuration of an mmMamba: a front end for pictures and two modules of
// blocks, one after the other, each with a configuration of its own.
type mmMambaConfig struct {
	Embedding json.RawMessage `json:"embedding_config"`
	Language  json.RawMessage `json:"llm_config"`
	Size      *int            `json:"force_image_size"` // null: image_size
	Ratio     float64         `json:"downsample_ratio"`
	Normalize bool            `json:"normalize_encoder_output"`
	Tied      bool            `json:"tie_word_embeddings"`

	Dynamic   bool `json:"dynamic_image_size"`
	Thumbnail bool `json:"use_thumbnail"`
	MinTiles  int  `json:"min_dynamic_patch"`
	MaxTiles  int  `json:"max_dynamic_patch"`

	first mmMambaEmbedding
	then  mmMambaModule
}

// mmMambaModule is the configuration of a module. Its bias is one that no block has, and its
// rope_scaling changes nothing, except in HoVLE.
type mmMambaModule struct {
	decoder
	Kinds   []string        `json:"layers_block_type"`
	Bias    bool            `json:"bias"`
	Scaling json.RawMessage `json:"rope_scaling"`
}

// mmMambaEmbedding is the configuration of the first module and of the front end.
type mmMambaEmbedding struct {
	mmMambaModule
	Image      int                        `json:"image_size"`
	Patch      int                        `json:"patch_size"`
	Channels   int                        `json:"num_channels"`
	Token      int                        `json:"img_context_token_id"`
	TextVocab  int                        `json:"llm_vocab_size"`
	TextWidth  int                        `json:"llm_hidden_size"`
	LayerScale bool                       `json:"use_ls"`
	Shuffle    bool                       `json:"use_pixel_shuffle_proj"`
	Where      string                     `json:"pixel_shuffle_loc"`
	TokenMaps  map[string]json.RawMessage `json:"special_token_maps"`
}

// What layers_block_type may name.
const (
	mmMambaSSD       = "mamba2"
	mmMambaAttention = "mha"
)

// mmMambaOther returns the other kind of block and a tensor that only blocks of that kind have.
func mmMambaOther(kind string) (other, tensor string) {
	if kind == mmMambaSSD {
		return mmMambaAttention, "attention.wqkv.weight"
	}
	return mmMambaSSD, "attention.wvkqgdt.weight"
}

// hovle is the model_type of HoVLE, the attention model that mmMamba was made of. It shares the type
// with models that have no module for embeddings.
const hovle = "internvl_chat"

// read decodes the configuration over the defaults of its classes.
func (c *mmMambaConfig) read(kind string, config []byte) error {
	if err := strict(config, c); err != nil {
		return err
	}
	if kind == hovle && c.Embedding == nil {
		return errors.New("embedding_config: found none: of the models of this type only HoVLE is supported")
	}
	if none := func(part []byte) bool { return part == nil || string(part) == "null" }; none(c.Embedding) || none(c.Language) {
		return errors.New("embedding_config and llm_config: expected both: the two modules")
	}
	c.first = mmMambaEmbedding{
		mmMambaModule: mmMambaModule{decoder: decoderDefaults()}, Image: 224, Patch: 14, Channels: 3, Token: 92546,
		TextVocab: 92553, TextWidth: 2048, LayerScale: true, Where: "pre",
	}
	c.first.KVHeads, c.first.Eps = new(32), 1e-5
	if err := strict(c.Embedding, &c.first); err != nil {
		return fmt.Errorf("embedding_config: %w", err)
	}
	c.then = mmMambaModule{decoder: decoderDefaults()}
	c.then.Vocab = 103168
	if err := strict(c.Language, &c.then); err != nil {
		return fmt.Errorf("llm_config: %w", err)
	}
	c.first.Vocab = c.then.Vocab
	if c.Size == nil {
		c.Size = &c.first.Image
	}
	if kind == hovle {
		return errors.Join(c.first.asHoVLE("embedding_config"), c.then.asHoVLE("llm_config"))
	}
	return nil
}

// asHoVLE takes the module for one of HoVLE's, of attentions whose rope_scaling counts.
func (c *mmMambaModule) asHoVLE(name string) error {
	if c.Kinds == nil && c.Layers <= maxLayers {
		c.Kinds = slices.Repeat([]string{mmMambaAttention}, max(c.Layers, 0))
	}
	if c.Scaling == nil {
		return nil
	}
	if err := json.Unmarshal(c.Scaling, &c.decoder.ropeConfig.Scaling); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

func (c *mmMambaConfig) validate() error {
	var is checks
	e, l := &c.first, &c.then
	is.That(!c.Tied && !l.Tied, "tie_word_embeddings: found true, expected false: which of the two tables of embeddings the head would share is not known")
	is.That(c.Ratio == 0.5, "downsample_ratio: found %v, expected 0.5: a row is of 2 x 2 patches", c.Ratio)
	is.That(e.TextVocab == l.Vocab, "embedding_config.llm_vocab_size: found %d, expected llm_config.vocab_size, %d", e.TextVocab, l.Vocab)
	is.That(e.Width == l.Width && e.TextWidth == l.Width, "hidden_size: the modules have %d and %d, texts %d, expected one width", e.Width, l.Width, e.TextWidth)
	is.That(!e.LayerScale, "embedding_config.use_ls: found true, or nothing; expected false: layer scales are not part of the released code either")
	is.That(e.Shuffle, "embedding_config.use_pixel_shuffle_proj: found false, or nothing; expected true: pictures need the projection")
	is.That(e.Where == "pre", "embedding_config.pixel_shuffle_loc: found %.40q, expected \"pre\": the released code cannot generate with another", e.Where)
	is.That(len(e.TokenMaps) == 0, "embedding_config.special_token_maps: found %d entries, expected none: a table of embeddings of their own is not supported", len(e.TokenMaps))
	is.That(e.Channels == 3, "embedding_config.num_channels: found %d, expected 3", e.Channels)
	is.Between("embedding_config.img_context_token_id", e.Token, 0, l.Vocab-1)
	is.Between("embedding_config.patch_size", e.Patch, 1, 1<<10)
	is.Between("embedding_config.image_size", e.Image, max(e.Patch, 1), 1<<13)
	is.Between("force_image_size", *c.Size, 2*max(e.Patch, 1), 1<<13)
	is.That(e.Patch < 1 || *c.Size/e.Patch%2 == 0, "force_image_size: %d pixels are an odd number of patches of %d; a row is of 2 x 2 patches", *c.Size, e.Patch)
	is.Between("min_dynamic_patch", c.MinTiles, 1, 1<<12)
	is.Between("max_dynamic_patch", c.MaxTiles, max(c.MinTiles, 1), 1<<12)
	return errors.Join(is.Err(), e.validate("embedding_config"), l.validate("llm_config"))
}

// validate checks a module, whose errors begin with its name.
func (c *mmMambaModule) validate(name string) error {
	var is checks
	c.noRope = true // judged where there is an attention
	c.decoder.validate(&is, "")
	is.That(c.Kinds == nil || len(c.Kinds) == c.Layers, "layers_block_type: found %d, expected %d", len(c.Kinds), c.Layers)
	for i, kind := range c.Kinds {
		is.That(kind == mmMambaSSD || kind == mmMambaAttention, "layers_block_type: block %d is %.40q, expected %s or %s", i, kind, mmMambaSSD, mmMambaAttention)
	}
	if err := is.Err(); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// newMMMamba builds an mmMamba: blocks of Mamba-2, of attention, or of both, as the tensors are. A
// HoVLE has the same tensors, and attentions alone.
func newMMMamba(kind string, config []byte, p nn.Params) (*Model, error) {
	c := mmMambaConfig{Ratio: 0.5, MinTiles: 1, MaxTiles: 6}
	if err := c.read(kind, config); err != nil {
		return nil, err
	}
	if err := c.validate(); err != nil {
		return nil, err
	}
	m := &Model{Vocab: c.then.Vocab, Width: c.then.Width}
	first, language := p.Sub("embedding_model"), p.Sub("language_model")
	m.embed = first.Tensor("llm_text_embeddings.weight", m.Vocab, m.Width)
	language.Drop("model.tok_embeddings.weight")
	m.pictures = c.pictures(first)
	if err := c.first.blocks(m, first, "encoder"); err != nil {
		return nil, fmt.Errorf("embedding_config: %w", err)
	}
	n := len(m.layers)
	if err := c.then.blocks(m, language, "model.layers"); err != nil {
		return nil, fmt.Errorf("llm_config: %w", err)
	}
	if c.Normalize && n < len(m.layers) {
		m.layers[n].Norm = unitNorm(m.Width)
	}
	m.norm = rmsNorm(language, "model.norm.weight", m.Width, c.then.Eps)
	m.head = language.Linear(language.Tensor("output.weight", m.Vocab, m.Width))
	return m, nil
}

// pictures takes the front end.
func (c *mmMambaConfig) pictures(p nn.Params) *pictures {
	e, d := &c.first, c.first.Width
	n := e.Image / e.Patch
	vision := p.Sub("vision_embeddings")
	vision.Drop("class_embedding")
	positions := vision.Vec("position_embedding", 1, 1+n*n, d)
	if positions != nil {
		positions = positions[d:] // the first one is that of a token which is not used
	}
	biased := func(p nn.Params, name string, shape ...int) *nn.Linear {
		l := p.Exact(p.Tensor(name+".weight", shape...))
		l.Bias = p.Vec(name+".bias", shape[0])
		return l
	}
	embed := nn.TileEmbed{
		Patch: e.Patch, Embed: biased(vision, "patch_embedding", d, 3, e.Patch, e.Patch), Grid: n, Positions: positions,
		Proj: &nn.MLP{Act: nn.GELU, Up: biased(p, "pixel_shuffle_proj.0", d, 4*d), Down: biased(p, "pixel_shuffle_proj.2", d, d)},
	}
	about := Pictures{
		Token: int32(e.Token), Size: *c.Size, Patch: e.Patch, Rows: embed.Rows(*c.Size),
		MinTiles: 1, MaxTiles: 1,
	}
	if c.Dynamic {
		about.MinTiles, about.MaxTiles, about.Thumbnail = c.MinTiles, c.MaxTiles, c.Thumbnail
	}
	return &pictures{Pictures: about, embed: embed}
}

// unitNorm divides rows by their length.
func unitNorm(width int) nn.Norm {
	w := make([]float32, width)
	for i := range w {
		w[i] = float32(rsqrt(width))
	}
	return nn.Norm{Weight: w}
}

// blocks adds a module's blocks to the model. What a block mixes tokens with is what its tensors say,
// or, before there are any, its label.
func (c *mmMambaModule) blocks(m *Model, p nn.Params, module string) error {
	for l := range c.Layers {
		if p.TooMany() {
			break
		}
		q := p.Sub(fmt.Sprintf("%s.%d", module, l))
		kind := mmMambaSSD
		if c.Kinds != nil {
			kind = c.Kinds[l]
		}
		if other, name := mmMambaOther(kind); q.Has(name) {
			if c.Kinds != nil {
				m.Notes = append(m.Notes, fmt.Sprintf("%s.%d: its tensors are those of %s, although layers_block_type says %s", module, l, other, kind))
			}
			kind = other
		}
		mixer, err := c.mixer(q.Sub("attention"), kind)
		if err != nil {
			return err
		}
		m.layers = append(m.layers, Layer{Blocks: []nn.Block{
			{Norm: rmsNorm(q, "attention_norm.weight", c.Width, c.Eps), Mixer: mixer},
			{Norm: rmsNorm(q, "ffn_norm.weight", c.Width, c.Eps), Mixer: swiglu(q.Sub("feed_forward"), false, c.Width, c.Inner, "w1", "w3", "w2")},
		}})
	}
	return nil
}

// mixer takes what a block mixes tokens with.
func (c *mmMambaModule) mixer(p nn.Params, kind string) (nn.Mixer, error) {
	if kind == mmMambaSSD {
		return c.ssd(p), nil
	}
	var is checks
	if c.ropeConfig.validate(&is, c.headDim()); is.Err() != nil {
		return nil, is.Err()
	}
	a := internlm2Config{decoder: c.decoder}
	return a.attention(p, c.build(c.headDim())), nil
}

// ssd takes a state-space layer, whose projection holds the rows of all values, keys, queries, gates
// and time steps.
func (c *mmMambaModule) ssd(p nn.Params) *nn.GroupedSSD {
	d, g := c.headDim(), c.kvHeads()
	rows, mixed := (2*g+2*c.Heads)*d, (2*g+c.Heads)*d
	in := p.Tensor("wvkqgdt.weight", rows+c.Heads, c.Width)
	return &nn.GroupedSSD{
		Heads: c.Heads, KVHeads: g, Dim: d,
		In: p.Linear(pick(in, 1, 0, rows)...), Delta: p.Exact(pick(in, 1, rows, rows+c.Heads)...),
		Conv:   channelConv(p, mixed, 2, true),
		DtBias: p.Vec("dt_bias", c.Heads), NegA: nn.NegExp(p.Vec("A_log_bias", c.Heads)),
		// The norm's constant does not depend on rms_norm_eps.
		Norm: nn.Norm{Weight: slices.Repeat(p.Vec("g_norm_swish_gate.weight", d), c.Heads), Eps: 1e-5},
		Out:  stack(p, false, c.Heads*d, part{"o_proj", c.Width}),
	}
}
