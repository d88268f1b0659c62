package net

import (
	"fmt"
	"math"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// VAE is diffusers' AutoencoderKL.
//
// Source: Rombach et al. 2022, arXiv:2112.10752; models/autoencoders/autoencoder_kl.py in huggingface/diffusers 0.42.
type VAE struct {
	weights
	In, Out int     // channels of images
	Latent  int     // channels of latents
	Factor  int     // pixels of an image on a side for each of the latents
	Scale   float64 // a pipeline's latents are (z - Shift)·Scale, z those of the methods here
	Shift   float64

	encoder, decoder coder
	quant, postQuant *nn.Conv2D // of one tap, nil without
}

// coder is one half of a VAE.
type coder struct {
	name    string
	in, out nn.Conv2D
	mid     level
	levels  []level
	norm    *nn.GroupNorm
}

// vaeEps is the eps of all norms of a VAE.
const vaeEps = 1e-6

// vaeConfig is the configuration of an AutoencoderKL.
type vaeConfig struct {
	In           int      `json:"in_channels"`
	Out          int      `json:"out_channels"`
	Down         []string `json:"down_block_types"`
	Up           []string `json:"up_block_types"`
	Widths       []int    `json:"block_out_channels"`
	Layers       int      `json:"layers_per_block"`
	Act          string   `json:"act_fn"`
	Latent       int      `json:"latent_channels"`
	Groups       int      `json:"norm_num_groups"`
	Scale        float64  `json:"scaling_factor"`
	Shift        float64  `json:"shift_factor"`
	Quant        bool     `json:"use_quant_conv"`
	PostQuant    bool     `json:"use_post_quant_conv"`
	MidAttention bool     `json:"mid_block_add_attention"`
}

// parse reads a configuration.
func (c *vaeConfig) parse(config []byte) error {
	*c = vaeConfig{
		In: 3, Out: 3, Down: []string{"DownEncoderBlock2D"}, Up: []string{"UpDecoderBlock2D"}, Widths: []int{64}, Layers: 1, Act: "silu",
		Latent: 4, Groups: 32, Scale: 0.18215, Quant: true, PostQuant: true, MidAttention: true,
	}
	keys, err := decode(config, c)
	if err != nil {
		return err
	}
	var k checks
	k.absent(keys, "latents_mean", "latents_std")
	k.Between("in_channels", c.In, 1, maxChannels)
	k.Between("out_channels", c.Out, 1, maxChannels)
	k.Between("latent_channels", c.Latent, 1, maxChannels)
	k.Between("layers_per_block", c.Layers, 1, maxLayers)
	k.among("act_fn", c.Act, "silu", "swish")
	k.That(c.Scale > 0 && c.Scale < 1e30, "scaling_factor: found %v, expected a positive number", c.Scale)
	k.That(math.Abs(c.Shift) < 1e30, "shift_factor: found %v, expected a number", c.Shift)
	k.widths("block_out_channels", c.Widths, c.Groups)
	k.That(len(c.Down) == len(c.Widths) && len(c.Up) == len(c.Widths), "down_block_types, up_block_types: found %d and %d, expected %d as block_out_channels has", len(c.Down), len(c.Up), len(c.Widths))
	for _, t := range c.Down {
		k.among("down_block_types", t, "DownEncoderBlock2D")
	}
	for _, t := range c.Up {
		k.among("up_block_types", t, "UpDecoderBlock2D")
	}
	return k.Err()
}

// NewVAE builds the network of a folder. The error tells everything that is wrong.
func NewVAE(ck Checkpoint, o Options) (*VAE, error) {
	return load("AutoencoderKL", buildVAE, ck, o)
}

// buildVAE takes the tensors of a configuration.
func buildVAE(p nn.Params, config []byte) (*VAE, error) {
	var c vaeConfig
	if err := c.parse(config); err != nil {
		return nil, configError("AutoencoderKL", err)
	}
	v := &VAE{In: c.In, Out: c.Out, Latent: c.Latent, Factor: 1 << (len(c.Widths) - 1), Scale: c.Scale, Shift: c.Shift}
	v.encoder, v.decoder = newEncoder(p, &c), newDecoder(p, &c)
	if c.Quant {
		q := exact(p, "quant_conv", 2*c.Latent, 2*c.Latent, 1)
		v.quant = &q
	}
	if c.PostQuant {
		q := exact(p, "post_quant_conv", c.Latent, c.Latent, 1)
		v.postQuant = &q
	}
	return v, nil
}

// middle takes the middle block of a coder.
func (c *vaeConfig) middle(p nn.Params, prefix string, width int) level {
	o := resnetOptions{groups: c.Groups, eps: vaeEps}
	attend := func(p nn.Params, channels int) spatial { return newAttention(p, channels, 0, o) }
	return newMiddle(p, prefix+".mid_block", width, o, only(c.MidAttention, attend))
}

func newEncoder(p nn.Params, c *vaeConfig) coder {
	e := coder{name: "encoder.", in: exact(p, "encoder.conv_in", c.In, c.Widths[0], 3)}
	width := c.Widths[0]
	for i, out := range c.Widths {
		l := level{name: fmt.Sprintf("encoder.down_blocks.%d", i)}
		for range c.Layers {
			l.add(p, width, out, resnetOptions{groups: c.Groups, eps: vaeEps}, nil)
			width = out
		}
		if i < len(c.Widths)-1 {
			d := downsampler(p.Sub(l.name+".downsamplers.0"), width, 0)
			l.scale = &d
		}
		e.levels = append(e.levels, l)
	}
	e.mid = c.middle(p, "encoder", width)
	e.norm = groupNorm(p, "encoder.conv_norm_out", width, c.Groups, vaeEps)
	e.out = exact(p, "encoder.conv_out", width, 2*c.Latent, 3)
	return e
}

func newDecoder(p nn.Params, c *vaeConfig) coder {
	n := len(c.Widths)
	width := c.Widths[n-1]
	d := coder{name: "decoder.", in: exact(p, "decoder.conv_in", c.Latent, width, 3), mid: c.middle(p, "decoder", width)}
	for i := range n {
		l, out := level{name: fmt.Sprintf("decoder.up_blocks.%d", i)}, c.Widths[n-1-i]
		for range c.Layers + 1 {
			l.add(p, width, out, resnetOptions{groups: c.Groups, eps: vaeEps}, nil)
			width = out
		}
		if i < n-1 {
			u := conv(p, l.name+".upsamplers.0.conv", width, width, 3)
			l.scale = &u
		}
		d.levels = append(d.levels, l)
	}
	d.norm = groupNorm(p, "decoder.conv_norm_out", width, c.Groups, vaeEps)
	d.out = exact(p, "decoder.conv_out", width, c.Out, 3)
	return d
}

// start applies the first convolution to x, which it releases.
func (c *coder) start(r *run, x nn.Image) nn.Image {
	h := r.like(x, c.in.W.Rows)
	c.in.Apply(h, x, nn.Added{}, r.ws)
	r.release(x)
	r.block(c.name+"conv_in", h)
	return h
}

// layers applies the resnets of a level to h, which it spends.
func (l *level) layers(r *run, h nn.Image) nn.Image {
	for j := range l.resnets {
		h = l.layer(r, j, h, true, tensor.Mat{}, nil)
	}
	return h
}

// finish is that of a UNet; it releases h.
func (c *coder) finish(r *run, h nn.Image) nn.Image {
	y := finish(r, h, c.norm, &c.out, c.name)
	r.release(h)
	return y
}

// quantize applies a convolution of one tap, if there is one, to x, which it then releases.
func quantize(r *run, c *nn.Conv2D, name string, x nn.Image) nn.Image {
	if c == nil {
		return x
	}
	y := r.like(x, c.W.Rows)
	c.Apply(y, x, nn.Added{}, r.ws)
	r.release(x)
	r.block(name, y)
	return y
}

// Decode computes images dst [n, Out, h·Factor, w·Factor] from z [n, Latent, h, w], which a pipeline's latents
// are after division by Scale and addition of Shift.
func (v *VAE) Decode(dst, z []float32, n, h, w int, p *Pass) error {
	if err := checkImages("AutoencoderKL: latents", z, n, v.Latent, h, w); err != nil {
		return err
	}
	if err := checkImages("AutoencoderKL: images", dst, n, v.Out, h*v.Factor, w*v.Factor); err != nil {
		return err
	}
	r := begin(p)
	x := quantize(r, v.postQuant, "post_quant_conv", r.load(z, n, v.Latent, h, w))
	x = v.decoder.start(r, x)
	x = v.decoder.mid.middle(r, x, true, tensor.Mat{}, nil)
	for i := range v.decoder.levels {
		l := &v.decoder.levels[i]
		x = l.layers(r, x)
		if l.scale != nil {
			x = l.double(r, x, 2*x.H, 2*x.W)
		}
		r.block(l.name, x)
	}
	x = v.decoder.finish(r, x)
	store(dst, x)
	r.release(x)
	return r.end()
}

// Encode computes means and log-variances, dst [n, 2·Latent, h/Factor, w/Factor] with the means first, from
// images x [n, In, h, w]; h and w are multiples of Factor. See [VAE.Sample].
func (v *VAE) Encode(dst, x []float32, n, h, w int, p *Pass) error {
	if h%v.Factor != 0 || w%v.Factor != 0 {
		return fmt.Errorf("net: AutoencoderKL: images of %d×%d, expected multiples of %d", h, w, v.Factor)
	}
	if err := checkImages("AutoencoderKL: images", x, n, v.In, h, w); err != nil {
		return err
	}
	if err := checkImages("AutoencoderKL: moments", dst, n, 2*v.Latent, h/v.Factor, w/v.Factor); err != nil {
		return err
	}
	r := begin(p)
	y := v.encoder.start(r, r.load(x, n, v.In, h, w))
	for i := range v.encoder.levels {
		l := &v.encoder.levels[i]
		y = l.layers(r, y)
		if l.scale != nil {
			half := l.halve(r, y)
			r.release(y)
			y = half
		}
		r.block(l.name, y)
	}
	y = v.encoder.mid.middle(r, y, true, tensor.Mat{}, nil)
	y = quantize(r, v.quant, "quant_conv", v.encoder.finish(r, y))
	store(dst, y)
	r.release(y)
	return r.end()
}

// Sample computes z = mean + e^(½·logvar)·noise from what Encode gave for n images, each log-variance
// brought to [-30, 20]; z and noise [n, Latent, h, w]. With noise nil it is the mean. It panics if the lengths disagree.
func (v *VAE) Sample(z, moments, noise []float32, n int) {
	if len(moments) != 2*len(z) || n < 1 || len(z)%n != 0 || noise != nil && len(noise) != len(z) {
		panic(fmt.Sprintf("net.VAE.Sample: len(z)=%d, len(moments)=%d, len(noise)=%d, %d images", len(z), len(moments), len(noise), n))
	}
	size := len(z) / n
	for i := range n {
		mean, logvar := moments[2*i*size:][:size], moments[(2*i+1)*size:][:size]
		for j, m := range mean {
			z[i*size+j] = m
			if noise != nil {
				sd := math.Exp(min(20, max(-30, float64(logvar[j]))) / 2)
				z[i*size+j] = float32(float64(m) + float64(sd*float64(noise[i*size+j])))
			}
		}
	}
}
