package net

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// UNet2DCondition is the UNet of Stable Diffusion 1 and 2: it attends to a text.
//
// Source: Rombach et al. 2022, arXiv:2112.10752; models/unets/unet_2d_condition.py in huggingface/diffusers 0.42.
type UNet2DCondition struct {
	weights
	In, Out     int // channels
	SampleSize  int // the usual height and width of latents, 0 if the configuration has none
	ContextDim  int // columns of the context
	GuidanceDim int // of the embedded guidance scale (latent consistency models), 0 without

	unet
	center bool
	cross  []*transformerBlock // in the order of their numbers
}

// Context is the texts of a batch as the network's layers see them: keys and values, computed once for
// all steps. It is immutable.
type Context struct {
	n      int
	layers [][]*nn.KV // of each cross-attention, one for each sample
}

// N returns the number of samples.
func (c *Context) N() int { return c.n }

// conditionConfig is the configuration of a UNet2DConditionModel.
type conditionConfig struct {
	SampleSize   numbers  `json:"sample_size"`
	In           int      `json:"in_channels"`
	Out          int      `json:"out_channels"`
	Center       bool     `json:"center_input_sample"`
	Flip         bool     `json:"flip_sin_to_cos"`
	FreqShift    float64  `json:"freq_shift"`
	Down         []string `json:"down_block_types"`
	Mid          string   `json:"mid_block_type"`
	Up           []string `json:"up_block_types"`
	Widths       []int    `json:"block_out_channels"`
	Layers       numbers  `json:"layers_per_block"`
	Padding      int      `json:"downsample_padding"`
	MidScale     float64  `json:"mid_block_scale_factor"`
	Act          string   `json:"act_fn"`
	Groups       int      `json:"norm_num_groups"`
	Eps          float64  `json:"norm_eps"`
	ContextDim   int      `json:"cross_attention_dim"`
	Transformers numbers  `json:"transformer_layers_per_block"`
	HeadDim      numbers  `json:"attention_head_dim"` // the number of heads, in spite of its name
	Heads        numbers  `json:"num_attention_heads"`
	Linears      bool     `json:"use_linear_projection"` // in place of convolutions of one tap
	TimeType     string   `json:"time_embedding_type"`
	TimeWidth    int      `json:"time_embedding_dim"`
	GuidanceDim  int      `json:"time_cond_proj_dim"`
	InKernel     int      `json:"conv_in_kernel"`
	OutKernel    int      `json:"conv_out_kernel"`
	OutScale     float64  `json:"resnet_out_scale_factor"`
}

// conditionRefused are keys of variants that are not implemented.
var conditionRefused = []string{
	"class_embed_type", "num_class_embeds", "addition_embed_type", "encoder_hid_dim", "encoder_hid_dim_type",
	"dual_cross_attention", "only_cross_attention", "mid_block_only_cross_attention", "attention_type", "resnet_time_scale_shift",
	"resnet_skip_time_act", "time_embedding_act_fn", "timestep_post_act", "class_embeddings_concat", "cross_attention_norm",
	"reverse_transformer_layers_per_block", "projection_class_embeddings_input_dim",
}

// parse reads a configuration.
func (c *conditionConfig) parse(config []byte) error {
	*c = conditionConfig{
		In: 4, Out: 4, Flip: true, Layers: numbers{2}, Padding: 1, MidScale: 1, Act: "silu", Groups: 32, Eps: 1e-5,
		Down:   []string{"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"},
		Mid:    "UNetMidBlock2DCrossAttn",
		Up:     []string{"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"},
		Widths: []int{320, 640, 1280, 1280}, ContextDim: 1280, Transformers: numbers{1}, HeadDim: numbers{8}, TimeType: "positional",
		InKernel: 3, OutKernel: 3, OutScale: 1,
	}
	keys, err := decode(config, c)
	if err != nil {
		return err
	}
	if c.Heads == nil {
		c.Heads = c.HeadDim
	}
	if c.TimeWidth == 0 && len(c.Widths) > 0 {
		c.TimeWidth = 4 * c.Widths[0]
	}
	var k checks
	k.absent(keys, conditionRefused...)
	k.Between("in_channels", c.In, 1, maxChannels)
	k.Between("out_channels", c.Out, 1, maxChannels)
	k.Between("cross_attention_dim", c.ContextDim, 1, maxChannels)
	k.Between("time_cond_proj_dim", c.GuidanceDim, 0, maxChannels)
	k.Between("time_embedding_dim", c.TimeWidth, 1, 4*maxChannels)
	k.Between("downsample_padding", c.Padding, 0, 1)
	k.Between("conv_in_kernel", c.InKernel, 3, 3)
	k.Between("conv_out_kernel", c.OutKernel, 3, 3)
	k.among("mid_block_type", c.Mid, "UNetMidBlock2DCrossAttn")
	k.among("act_fn", c.Act, "silu", "swish")
	k.among("time_embedding_type", c.TimeType, "positional")
	k.Positive("norm_eps", c.Eps)
	k.Positive("mid_block_scale_factor", c.MidScale)
	k.That(c.OutScale == 1, "resnet_out_scale_factor: found %v, which is not supported", c.OutScale)
	k.That(c.FreqShift >= 0 && c.FreqShift <= 1, "freq_shift: found %v, expected 0 to 1", c.FreqShift)
	k.widths("block_out_channels", c.Widths, c.Groups)
	c.checkLevels(&k)
	return k.Err()
}

// checkLevels checks what there is one of for each level.
func (c *conditionConfig) checkLevels(k *checks) {
	n := len(c.Widths)
	k.That(len(c.Down) == n && len(c.Up) == n, "down_block_types, up_block_types: found %d and %d, expected %d as block_out_channels has", len(c.Down), len(c.Up), n)
	for _, t := range c.Down {
		k.among("down_block_types", t, "DownBlock2D", "CrossAttnDownBlock2D")
	}
	for _, t := range c.Up {
		k.among("up_block_types", t, "UpBlock2D", "CrossAttnUpBlock2D")
	}
	c.Layers.check(k, "layers_per_block", n, 1, maxLayers)
	c.Transformers.check(k, "transformer_layers_per_block", n, 1, maxLayers)
	c.Heads.check(k, "attention_head_dim (the number of heads)", n, 1, maxChannels)
	if k.Err() != nil {
		return
	}
	for i, w := range c.Widths {
		attends := c.Down[i] == "CrossAttnDownBlock2D" || c.Up[n-1-i] == "CrossAttnUpBlock2D" || i == n-1
		k.That(!attends || w%c.Heads.at(i) == 0, "block_out_channels[%d]: found %d, expected a multiple of the %d heads of attention_head_dim", i, w, c.Heads.at(i))
	}
}

// NewUNet2DCondition builds the network of a folder. The error tells everything that is wrong, and names
// what is not supported.
func NewUNet2DCondition(ck Checkpoint, o Options) (*UNet2DCondition, error) {
	return load("UNet2DConditionModel", buildUNet2DCondition, ck, o)
}

// buildUNet2DCondition takes the tensors of a configuration.
func buildUNet2DCondition(p nn.Params, config []byte) (*UNet2DCondition, error) {
	var c conditionConfig
	if err := c.parse(config); err != nil {
		return nil, configError("UNet2DConditionModel", err)
	}
	u := &UNet2DCondition{In: c.In, Out: c.Out, ContextDim: c.ContextDim, GuidanceDim: c.GuidanceDim, center: c.Center}
	cross := 0
	attend := func(i int) attentionMaker {
		return func(p nn.Params, channels int) spatial {
			t := newTransformer(p, channels, c.Heads.at(i), c.Transformers.at(i), c.ContextDim, c.Groups, c.Linears, &cross)
			u.cross = append(u.cross, t.blocks...)
			return t
		}
	}
	options := resnetOptions{groups: c.Groups, eps: c.Eps, timeWidth: c.TimeWidth}
	mid := options
	mid.scale = c.MidScale
	last := len(c.Widths) - 1
	u.unet = newUNet(p, &unetShape{
		in: c.In, out: c.Out, widths: c.Widths, layers: c.Layers, padding: c.Padding, resnet: options, mid: mid,
		downMaker: func(i int) attentionMaker { return only(c.Down[i] == "CrossAttnDownBlock2D", attend(i)) },
		upMaker:   func(i int) attentionMaker { return only(c.Up[i] == "CrossAttnUpBlock2D", attend(last-i)) },
		midMaker:  attend(last), flip: c.Flip, shift: c.FreqShift, timeWidth: c.TimeWidth, guidanceWidth: c.GuidanceDim,
	})
	if len(c.SampleSize) > 0 {
		u.SampleSize = c.SampleSize[0]
	}
	return u, nil
}

// Context prepares the hidden states of n texts, text [n·T, ContextDim], T rows for each.
func (u *UNet2DCondition) Context(text tensor.Mat, n int, p *Pass) (*Context, error) {
	if n < 1 || text.Rows < n || text.Rows%n != 0 || text.Cols != u.ContextDim {
		return nil, fmt.Errorf("net: UNet2DConditionModel: context [%d, %d] for %d samples, expected a multiple of %d rows and %d columns", text.Rows, text.Cols, n, n, u.ContextDim)
	}
	c := &Context{n: n}
	for _, b := range u.cross {
		mark := p.WS.Mark()
		h := p.WS.Mat(text.Rows, b.kv.W.Rows)
		b.kv.Project(h, text, tensor.Mat{}, p.WS)
		caches := b.NewCaches(n)
		width := h.Cols / 2
		b.Fill(caches, h.Columns(0, width), h.Columns(width, h.Cols), p.WS)
		c.layers = append(c.layers, caches)
		p.WS.Release(mark)
	}
	return c, nil
}

// Forward computes dst [n, Out, h, w] from latents x [n, In, h, w] of any size. t [n] are the times, fractions
// allowed. ctx has n samples. guidance [n] are the guidance scales of a network with GuidanceDim, else nil.
// dst may be x if Out = In. An error is about sizes or, where p asks, a value that is not finite.
func (u *UNet2DCondition) Forward(dst, x []float32, n, h, w int, t []float64, ctx *Context, guidance []float64, p *Pass) error {
	if err := u.check(dst, x, n, h, w, t, ctx, guidance); err != nil {
		return err
	}
	r := begin(p)
	mark := r.ws.Mark()
	image := r.load(x, n, u.In, h, w)
	if u.center {
		center(image)
	}
	time := u.embed(r, t, guidance)
	r.vectors("time_embedding", time)
	nn.Activate(time, nn.SiLU, r.ws)
	y := u.forward(r, image, time, ctx)
	store(dst, y)
	r.release(y)
	r.ws.Release(mark)
	return r.end()
}

func (u *UNet2DCondition) check(dst, x []float32, n, h, w int, t []float64, ctx *Context, guidance []float64) error {
	if err := checkImages("UNet2DConditionModel: input", x, n, u.In, h, w); err != nil {
		return err
	}
	if err := u.checkSize("UNet2DConditionModel", h, w); err != nil {
		return err
	}
	if err := checkImages("UNet2DConditionModel: output", dst, n, u.Out, h, w); err != nil {
		return err
	}
	scales := 0
	if u.GuidanceDim > 0 {
		scales = n
	}
	if len(t) != n || ctx == nil || ctx.n != n || len(ctx.layers) != len(u.cross) || len(guidance) != scales {
		have := 0
		if ctx != nil {
			have = ctx.n
		}
		return fmt.Errorf("net: UNet2DConditionModel: %d times, %d samples of a context and %d guidance scales for %d samples, expected %d, %d of this network's and %d",
			len(t), have, len(guidance), n, n, n, scales)
	}
	return nil
}
