package net

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// TAESD is diffusers' AutoencoderTiny, a small autoencoder whose latents are those of a large one: a
// pipeline's, not divided by its scale.
//
// Source: madebyollin/taesd; models/autoencoders/autoencoder_tiny.py in huggingface/diffusers 0.42.
type TAESD struct {
	weights
	In, Out int     // channels of images
	Latent  int     // channels of latents
	Factor  int     // pixels of an image on a side for each of the latents
	Scale   float64 // scaling_factor, 1 as released

	encoder, decoder []tinyLayer
}

// tinyLayer is one of the numbered layers of a half.
type tinyLayer struct {
	name  string
	conv  *nn.Conv2D
	block []nn.Conv2D // the three convolutions of a residual block
	relu  bool
	up    bool // nearest-neighbour upsampling, which the next layer's convolution reads
}

// taesdConfig is the configuration of an AutoencoderTiny.
type taesdConfig struct {
	In            int     `json:"in_channels"`
	Out           int     `json:"out_channels"`
	EncoderWidths []int   `json:"encoder_block_out_channels"`
	DecoderWidths []int   `json:"decoder_block_out_channels"`
	EncoderBlocks []int   `json:"num_encoder_blocks"`
	DecoderBlocks []int   `json:"num_decoder_blocks"`
	Act           string  `json:"act_fn"`
	Latent        int     `json:"latent_channels"`
	Upsampling    int     `json:"upsampling_scaling_factor"`
	Upsample      string  `json:"upsample_fn"`
	Scale         float64 `json:"scaling_factor"`
}

// parse reads a configuration.
func (c *taesdConfig) parse(config []byte) error {
	*c = taesdConfig{
		In: 3, Out: 3, EncoderWidths: []int{64, 64, 64, 64}, DecoderWidths: []int{64, 64, 64, 64}, EncoderBlocks: []int{1, 3, 3, 3},
		DecoderBlocks: []int{3, 3, 3, 1}, Act: "relu", Latent: 4, Upsampling: 2, Upsample: "nearest", Scale: 1,
	}
	if _, err := decode(config, c); err != nil {
		return err
	}
	var k checks
	k.Between("in_channels", c.In, 1, maxChannels)
	k.Between("out_channels", c.Out, 1, maxChannels)
	k.Between("latent_channels", c.Latent, 1, maxChannels)
	k.Between("upsampling_scaling_factor", c.Upsampling, 2, 2)
	k.among("act_fn", c.Act, "relu")
	k.among("upsample_fn", c.Upsample, "nearest")
	k.Positive("scaling_factor", c.Scale)
	k.widths("encoder_block_out_channels", c.EncoderWidths, 1)
	k.widths("decoder_block_out_channels", c.DecoderWidths, 1)
	k.That(len(c.EncoderBlocks) == len(c.EncoderWidths) && len(c.DecoderBlocks) == len(c.DecoderWidths) && len(c.EncoderBlocks) == len(c.DecoderBlocks),
		"num_encoder_blocks, num_decoder_blocks: found %d and %d, expected as many as there are widths, %d and %d", len(c.EncoderBlocks), len(c.DecoderBlocks), len(c.EncoderWidths), len(c.DecoderWidths))
	for _, n := range append(append([]int(nil), c.EncoderBlocks...), c.DecoderBlocks...) {
		k.Between("num_encoder_blocks, num_decoder_blocks", n, 0, maxLayers)
	}
	for i, w := range c.EncoderWidths {
		k.That(w == c.EncoderWidths[0], "encoder_block_out_channels[%d]: found %d, expected %d as the first", i, w, c.EncoderWidths[0])
	}
	for i, w := range c.DecoderWidths {
		k.That(w == c.DecoderWidths[0], "decoder_block_out_channels[%d]: found %d, expected %d as the first", i, w, c.DecoderWidths[0])
	}
	return k.Err()
}

// tinyLayers takes layers one after another.
type tinyLayers struct {
	p      nn.Params
	prefix string
	list   []tinyLayer
}

// next is the name of the next layer.
func (t *tinyLayers) next() string { return fmt.Sprintf("%slayers.%d", t.prefix, len(t.list)) }

func (t *tinyLayers) conv(in, out, step int, bias, ends bool) {
	c := convolution(t.p.Sub(t.next()), in, out, 3, convOptions{bias: bias, exact: ends, step: step})
	t.list = append(t.list, tinyLayer{name: t.next(), conv: &c})
}

func (t *tinyLayers) blocks(width, n int) {
	for range n {
		l := tinyLayer{name: t.next()}
		for _, i := range []string{"0", "2", "4"} {
			l.block = append(l.block, conv(t.p, l.name+".conv."+i, width, width, 3))
		}
		t.list = append(t.list, l)
	}
}

// NewTAESD builds the network of a folder. The error tells everything that is wrong.
func NewTAESD(ck Checkpoint, o Options) (*TAESD, error) {
	return load("AutoencoderTiny", buildTAESD, ck, o)
}

// buildTAESD takes the tensors of a configuration.
func buildTAESD(p nn.Params, config []byte) (*TAESD, error) {
	var c taesdConfig
	if err := c.parse(config); err != nil {
		return nil, configError("AutoencoderTiny", err)
	}
	a := &TAESD{In: c.In, Out: c.Out, Latent: c.Latent, Factor: 1 << (len(c.EncoderWidths) - 1), Scale: c.Scale}
	e := tinyLayers{p: p, prefix: "encoder."}
	for i, width := range c.EncoderWidths {
		if i == 0 {
			e.conv(c.In, width, 1, true, true)
		} else {
			e.conv(width, width, 2, false, false)
		}
		e.blocks(width, c.EncoderBlocks[i])
	}
	e.conv(c.EncoderWidths[0], c.Latent, 1, true, true)
	d := tinyLayers{p: p, prefix: "decoder."}
	d.conv(c.Latent, c.DecoderWidths[0], 1, true, true)
	d.list = append(d.list, tinyLayer{name: d.next(), relu: true})
	for i, width := range c.DecoderWidths {
		d.blocks(width, c.DecoderBlocks[i])
		if i == len(c.DecoderWidths)-1 {
			d.conv(width, c.Out, 1, true, true)
			continue
		}
		d.list = append(d.list, tinyLayer{name: d.next(), up: true})
		d.conv(width, width, 1, false, false)
	}
	a.encoder, a.decoder = e.list, d.list
	return a, nil
}

// apply runs a half on x, which it releases.
func (r *run) tiny(layers []tinyLayer, x nn.Image) nn.Image {
	for i := range layers {
		l := &layers[i]
		switch {
		case l.conv != nil:
			h, w := l.conv.Size(x.H, x.W)
			y := r.image(x.N, h, w, l.conv.W.Rows)
			l.conv.Apply(y, x, nn.Added{}, r.ws)
			r.release(x)
			x = y
		case l.relu:
			nn.Activate(x.Mat, nn.ReLU, r.ws)
		case l.up:
			x = x.Upsample(2*x.H, 2*x.W)
			if r.pass.Block == nil {
				continue
			}
			full := r.image(x.N, x.H, x.W, x.Cols)
			x.Expand(full)
			r.block(l.name, full)
			r.release(full)
			continue
		default:
			r.residual(l.block, x)
		}
		r.block(l.name, x)
	}
	return x
}

// residual applies a block to x in place.
func (r *run) residual(convs []nn.Conv2D, x nn.Image) {
	a, b := r.like(x, x.Cols), r.like(x, x.Cols)
	convs[0].Apply(a, x, nn.Added{}, r.ws)
	nn.Activate(a.Mat, nn.ReLU, r.ws)
	convs[1].Apply(b, a, nn.Added{}, r.ws)
	nn.Activate(b.Mat, nn.ReLU, r.ws)
	convs[2].Apply(x, b, nn.Added{Plus: x.Mat}, r.ws)
	nn.Activate(x.Mat, nn.ReLU, r.ws)
	r.release(a)
	r.release(b)
}

// Decode computes images dst [n, Out, h·Factor, w·Factor], about -1 to 1, from z [n, Latent, h, w].
func (a *TAESD) Decode(dst, z []float32, n, h, w int, p *Pass) error {
	if err := checkImages("AutoencoderTiny: latents", z, n, a.Latent, h, w); err != nil {
		return err
	}
	if err := checkImages("AutoencoderTiny: images", dst, n, a.Out, h*a.Factor, w*a.Factor); err != nil {
		return err
	}
	r := begin(p)
	x := r.load(z, n, a.Latent, h, w)
	nn.Scale(x.Mat, 1.0/3, x.Mat, r.ws) // 3·tanh(z/3)
	nn.Activate(x.Mat, nn.Tanh, r.ws)
	nn.Scale(x.Mat, 3, x.Mat, r.ws)
	x = r.tiny(a.decoder, x)
	center(x)
	store(dst, x)
	r.release(x)
	return r.end()
}

// Encode computes z [n, Latent, h/Factor, w/Factor] from images x [n, In, h, w] of -1 to 1; h and w are multiples
// of Factor.
func (a *TAESD) Encode(z, x []float32, n, h, w int, p *Pass) error {
	if h%a.Factor != 0 || w%a.Factor != 0 {
		return fmt.Errorf("net: AutoencoderTiny: images of %d×%d, expected multiples of %d", h, w, a.Factor)
	}
	if err := checkImages("AutoencoderTiny: images", x, n, a.In, h, w); err != nil {
		return err
	}
	if err := checkImages("AutoencoderTiny: latents", z, n, a.Latent, h/a.Factor, w/a.Factor); err != nil {
		return err
	}
	r := begin(p)
	y := r.load(x, n, a.In, h, w)
	halves(y.Mat)
	y = r.tiny(a.encoder, y)
	store(z, y)
	r.release(y)
	return r.end()
}

// halves brings values of -1 to 1 to 0 to 1.
func halves(x tensor.Mat) {
	for i := range x.Rows {
		row := x.Row(i)
		for c, v := range row {
			row[c] = (v + 1) / 2
		}
	}
}
