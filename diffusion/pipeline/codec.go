package pipeline

import (
	"fmt"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/loader"
)

// codec is an autoencoder: between pictures [3, H, W] of -1 to 1 and latents as the network draws them.
type codec struct {
	vae    *net.VAE
	taesd  *net.TAESD
	latent int // channels
	factor int
	params int64
}

// openCodec builds the folder's autoencoder, or another one of the same latents.
func openCodec(p *Pipeline, o Options) (*codec, error) {
	class := p.folder.index.parts["vae"].class
	if o.VAE != "" {
		return openOther(p, o)
	}
	c := &codec{}
	var err error
	if class == "AutoencoderTiny" {
		c.taesd, err = build(p, o, "vae", net.NewTAESD)
	} else {
		c.vae, err = build(p, o, "vae", net.NewVAE)
	}
	if err != nil {
		return nil, err
	}
	return c, c.finish()
}

// openOther builds the autoencoder of a directory of its own.
func openOther(p *Pipeline, o Options) (*codec, error) {
	ck, err := loader.Open(o.VAE)
	if err != nil {
		return nil, err
	}
	defer p.folder.settle(ck)
	class, err := className(ck.Config())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.VAE, err)
	}
	c := &codec{}
	switch class {
	case "AutoencoderTiny":
		if c.taesd, err = net.NewTAESD(ck, p.options(o, "vae")); err == nil {
			p.close = append(p.close, c.taesd.Close)
		}
	case "AutoencoderKL":
		if c.vae, err = net.NewVAE(ck, p.options(o, "vae")); err == nil {
			p.close = append(p.close, c.vae.Close)
		}
	default:
		err = fmt.Errorf("config.json: found _class_name %q, expected AutoencoderKL or AutoencoderTiny", clip(class))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.VAE, err)
	}
	return c, c.finish()
}

// finish takes sizes from the network and checks that it makes pictures in three colours.
func (c *codec) finish() error {
	in, out := 0, 0
	if c.vae != nil {
		in, out, c.latent, c.factor, c.params = c.vae.In, c.vae.Out, c.vae.Latent, c.vae.Factor, c.vae.Params
	} else {
		in, out, c.latent, c.factor, c.params = c.taesd.In, c.taesd.Out, c.taesd.Latent, c.taesd.Factor, c.taesd.Params
	}
	if in != 3 || out != 3 {
		return fmt.Errorf("vae: found pictures of %d channels in and %d out, expected 3", in, out)
	}
	return nil
}

// decode makes a picture [3, h·factor, w·factor] of latents [latent, h, w].
func (c *codec) decode(dst, z []float32, h, w int, p *net.Pass) error {
	if c.taesd != nil {
		scaled := scale(z, 1/c.taesd.Scale, 0)
		return c.taesd.Decode(dst, scaled, 1, h, w, p)
	}
	return c.vae.Decode(dst, scale(z, 1/c.vae.Scale, c.vae.Shift), 1, h, w, p)
}

// encode makes latents [latent, h/factor, w/factor] of a picture [3, h, w]. Noise [latent, ...] draws from
// the distribution that an AutoencoderKL gives; nil takes its mean.
func (c *codec) encode(x []float32, h, w int, noise []float32, p *net.Pass) ([]float32, error) {
	n := c.latent * (h / c.factor) * (w / c.factor)
	z := make([]float32, n)
	if c.taesd != nil {
		err := c.taesd.Encode(z, x, 1, h, w, p)
		return scale(z, c.taesd.Scale, 0), err
	}
	moments := make([]float32, 2*n)
	if err := c.vae.Encode(moments, x, 1, h, w, p); err != nil {
		return nil, err
	}
	c.vae.Sample(z, moments, noise, 1)
	return scale(z, c.vae.Scale, -c.vae.Shift*c.vae.Scale), nil
}

// scale returns x·a + b.
func scale(x []float32, a, b float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(float64(a*float64(v)) + b)
	}
	return y
}

// decodeTiles decodes latents in tiles of a side of so many latents, which overlap by a quarter or more and
// are blended there, so that memory is bounded. What an autoencoder computes from the whole picture, its
// norms and its attention, differs a little from tile to tile.
func (c *codec) decodeTiles(dst, z []float32, h, w, side int, p *net.Pass) error {
	if side <= 0 || h <= side && w <= side {
		return c.decode(dst, z, h, w, p)
	}
	clear(dst)
	th, tw, f := min(side, h), min(side, w), c.factor
	ys, wy := blends(h, th, f)
	xs, wx := blends(w, tw, f)
	tile, out := make([]float32, c.latent*th*tw), make([]float32, 3*th*tw*f*f)
	for n, y := range ys {
		for m, x := range xs {
			for k := range c.latent {
				for i := range th {
					copy(tile[(k*th+i)*tw:][:tw], z[(k*h+y+i)*w+x:])
				}
			}
			if err := c.decode(out, tile, th, tw, p); err != nil {
				return err
			}
			for k := range 3 {
				for i := range th * f {
					row := dst[(k*h*f+y*f+i)*w*f+x*f:]
					for j, v := range out[(k*th*f+i)*tw*f:][:tw*f] {
						row[j] += float32(float32(wy[n][i]*wx[m][j]) * v)
					}
				}
			}
		}
	}
	return nil
}

// blends are where tiles begin along an axis of n latents, and the weights of their pixels, which rise
// and fall over a quarter of a tile and sum to 1 at every pixel.
func blends(n, side, factor int) (at []int, weights [][]float32) {
	overlap := side / 4
	count := 1
	if n > side {
		count = (n-overlap-1)/(side-overlap) + 1
	}
	sum := make([]float32, n*factor)
	for k := range count {
		from := 0
		if count > 1 {
			from = k * (n - side) / (count - 1)
		}
		at = append(at, from)
		w := make([]float32, side*factor)
		for i := range w {
			edge := min(i, len(w)-1-i)
			w[i] = min(1, (float32(edge)+0.5)/float32(max(1, overlap*factor)))
			sum[from*factor+i] += w[i]
		}
		weights = append(weights, w)
	}
	for k, w := range weights {
		for i := range w {
			w[i] /= sum[at[k]*factor+i]
		}
	}
	return at, weights
}
