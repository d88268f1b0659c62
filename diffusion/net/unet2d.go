package net

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
)

// UNet2D is diffusers' UNet2DModel: pixels and a time, perhaps a class, to a prediction.
//
// Source: Ho, Jain, Abbeel 2020, arXiv:2006.11239; models/unets/unet_2d.py in huggingface/diffusers 0.42.
type UNet2D struct {
	weights
	In, Out    int // channels
	SampleSize int // the usual height and width, 0 if the configuration has none
	Classes    int // rows of the class embedding, 0 without

	unet
	center  bool // inputs of 0 to 1 are brought to -1 to 1
	classes []float32
}

// unet2DConfig is the configuration of a UNet2DModel.
type unet2DConfig struct {
	SampleSize  numbers  `json:"sample_size"`
	In          int      `json:"in_channels"`
	Out         int      `json:"out_channels"`
	Center      bool     `json:"center_input_sample"`
	TimeType    string   `json:"time_embedding_type"`
	TimeWidth   int      `json:"time_embedding_dim"`
	FreqShift   float64  `json:"freq_shift"`
	Flip        bool     `json:"flip_sin_to_cos"`
	Down        []string `json:"down_block_types"`
	Mid         string   `json:"mid_block_type"`
	Up          []string `json:"up_block_types"`
	Widths      []int    `json:"block_out_channels"`
	Layers      int      `json:"layers_per_block"`
	MidScale    float64  `json:"mid_block_scale_factor"`
	Padding     int      `json:"downsample_padding"`
	Downsample  string   `json:"downsample_type"`
	Upsample    string   `json:"upsample_type"`
	Act         string   `json:"act_fn"`
	HeadDim     *int     `json:"attention_head_dim"` // columns of a head; null is one head
	Groups      int      `json:"norm_num_groups"`
	Eps         float64  `json:"norm_eps"`
	TimeShift   string   `json:"resnet_time_scale_shift"`
	Attention   bool     `json:"add_attention"`
	ClassEmbeds int      `json:"num_class_embeds"`
}

func (c *unet2DConfig) defaults() {
	eight := 8
	*c = unet2DConfig{
		In: 3, Out: 3, TimeType: "positional", Flip: true, Layers: 2, MidScale: 1, Padding: 1,
		Down:   []string{"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"},
		Mid:    "UNetMidBlock2D",
		Up:     []string{"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"},
		Widths: []int{224, 448, 672, 896}, Downsample: "conv", Upsample: "conv", Act: "silu", HeadDim: &eight,
		Groups: 32, Eps: 1e-5, TimeShift: "default", Attention: true,
	}
}

// parse reads a configuration. A head width of null is not the default but one head.
func (c *unet2DConfig) parse(config []byte) error {
	c.defaults()
	keys, err := decode(config, c)
	if err != nil {
		return err
	}
	if isNull(config, "attention_head_dim") {
		c.HeadDim = nil
	}
	if c.TimeWidth == 0 && len(c.Widths) > 0 {
		c.TimeWidth = 4 * c.Widths[0]
	}
	var k checks
	k.Between("in_channels", c.In, 1, maxChannels)
	k.Between("out_channels", c.Out, 1, maxChannels)
	k.among("time_embedding_type", c.TimeType, "positional")
	k.among("mid_block_type", c.Mid, "UNetMidBlock2D")
	k.among("downsample_type", c.Downsample, "conv")
	k.among("upsample_type", c.Upsample, "conv")
	k.among("act_fn", c.Act, "silu", "swish")
	k.among("resnet_time_scale_shift", c.TimeShift, "default", "scale_shift")
	k.absent(keys, "class_embed_type", "attn_norm_num_groups")
	k.Between("layers_per_block", c.Layers, 1, maxLayers)
	k.Between("downsample_padding", c.Padding, 0, 1)
	k.Between("num_class_embeds", c.ClassEmbeds, 0, maxVocab)
	k.Between("time_embedding_dim", c.TimeWidth, 1, 4*maxChannels)
	k.Positive("norm_eps", c.Eps)
	k.Positive("mid_block_scale_factor", c.MidScale)
	k.That(c.FreqShift >= 0 && c.FreqShift <= 1, "freq_shift: found %v, expected 0 to 1", c.FreqShift)
	k.widths("block_out_channels", c.Widths, c.Groups)
	k.That(len(c.Down) == len(c.Widths) && len(c.Up) == len(c.Widths), "down_block_types, up_block_types: found %d and %d, expected %d as block_out_channels has", len(c.Down), len(c.Up), len(c.Widths))
	for _, t := range c.Down {
		k.among("down_block_types", t, "DownBlock2D", "AttnDownBlock2D")
	}
	for _, t := range c.Up {
		k.among("up_block_types", t, "UpBlock2D", "AttnUpBlock2D")
	}
	if c.HeadDim != nil {
		k.Between("attention_head_dim", *c.HeadDim, 1, maxChannels)
	}
	if err := k.Err(); err != nil {
		return err
	}
	return c.checkHeads()
}

// checkHeads demands whole heads wherever there is an attention.
func (c *unet2DConfig) checkHeads() error {
	var k checks
	n := len(c.Widths)
	for i, w := range c.Widths {
		attends := c.Down[i] == "AttnDownBlock2D" || c.Up[n-1-i] == "AttnUpBlock2D" || i == n-1 && c.Attention
		k.That(!attends || w%c.headDim(w) == 0, "block_out_channels[%d]: found %d, expected a multiple of attention_head_dim %d", i, w, c.headDim(w))
	}
	return k.Err()
}

// headDim is the columns of a head where there are so many channels.
func (c *unet2DConfig) headDim(channels int) int {
	if c.HeadDim == nil {
		return channels
	}
	return *c.HeadDim
}

// NewUNet2D builds the network of a folder. The error tells everything that is wrong.
func NewUNet2D(ck Checkpoint, o Options) (*UNet2D, error) {
	return load("UNet2DModel", buildUNet2D, ck, o)
}

// buildUNet2D takes the tensors of a configuration.
func buildUNet2D(p nn.Params, config []byte) (*UNet2D, error) {
	var c unet2DConfig
	if err := c.parse(config); err != nil {
		return nil, configError("UNet2DModel", err)
	}
	options := resnetOptions{groups: c.Groups, eps: c.Eps, timeWidth: c.TimeWidth, scaleShift: c.TimeShift == "scale_shift"}
	attend := func(options resnetOptions) attentionMaker {
		return func(p nn.Params, channels int) spatial {
			return newAttention(p, channels, c.headDim(channels), options)
		}
	}
	plain, mid := options, options
	plain.scaleShift = false // only a middle block's attention may lack its norm
	mid.scale = c.MidScale
	shape := unetShape{
		in: c.In, out: c.Out, widths: c.Widths, layers: numbers{c.Layers}, padding: c.Padding, resnet: options, mid: mid,
		downMaker: func(i int) attentionMaker { return only(c.Down[i] == "AttnDownBlock2D", attend(plain)) },
		upMaker:   func(i int) attentionMaker { return only(c.Up[i] == "AttnUpBlock2D", attend(plain)) },
		midMaker:  only(c.Attention, attend(mid)), flip: c.Flip, shift: c.FreqShift, timeWidth: c.TimeWidth,
	}
	u := &UNet2D{In: c.In, Out: c.Out, Classes: c.ClassEmbeds, center: c.Center, unet: newUNet(p, &shape)}
	if len(c.SampleSize) > 0 {
		u.SampleSize = c.SampleSize[0]
	}
	if c.ClassEmbeds > 0 {
		u.classes = p.Vec("class_embedding.weight", c.ClassEmbeds, c.TimeWidth)
	}
	return u, nil
}

// only returns make if the condition holds.
func only(condition bool, maker attentionMaker) attentionMaker {
	if condition {
		return maker
	}
	return nil
}

// Forward computes dst [n, Out, h, w] from x [n, In, h, w]. t [n] are the times, fractions allowed; class [n]
// the rows of the class embedding, nil without one. dst may be x if Out = In. An error is about sizes, a class that does not
// exist, or, where p asks, a value that is not finite.
func (u *UNet2D) Forward(dst, x []float32, n, h, w int, t []float64, class []int32, p *Pass) error {
	if err := u.check(dst, x, n, h, w, t, class); err != nil {
		return err
	}
	r := begin(p)
	mark := r.ws.Mark()
	image := r.load(x, n, u.In, h, w)
	if u.center {
		center(image)
	}
	time := u.embed(r, t, nil)
	r.vectors("time_embedding", time)
	for i, c := range class {
		addRow(time.Row(i), u.classes, c)
	}
	nn.Activate(time, nn.SiLU, r.ws)
	y := u.forward(r, image, time, nil)
	store(dst, y)
	r.release(y)
	r.ws.Release(mark)
	return r.end()
}

func (u *UNet2D) check(dst, x []float32, n, h, w int, t []float64, class []int32) error {
	if err := checkImages("UNet2DModel: input", x, n, u.In, h, w); err != nil {
		return err
	}
	if err := u.checkSize("UNet2DModel", h, w); err != nil {
		return err
	}
	if err := checkImages("UNet2DModel: output", dst, n, u.Out, h, w); err != nil {
		return err
	}
	want := 0
	if u.Classes > 0 {
		want = n
	}
	if len(t) != n || len(class) != want {
		return fmt.Errorf("net: UNet2DModel: %d times and %d classes for %d samples, expected %d and %d", len(t), len(class), n, n, want)
	}
	for _, c := range class {
		if c < 0 || int(c) >= u.Classes {
			return fmt.Errorf("net: UNet2DModel: class %d, expected 0 to %d", c, u.Classes-1)
		}
	}
	return nil
}
