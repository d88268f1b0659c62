package net

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
}

// NewVAE builds the network of a folder. The error tells everything that is wrong.
func NewVAE(ck Checkpoint, o Options) (*VAE, error) { return nil, errSketch }

// Decode computes images dst [n, Out, h·Factor, w·Factor] from z [n, Latent, h, w], which a pipeline's latents
// are after division by Scale and addition of Shift.
func (v *VAE) Decode(dst, z []float32, n, h, w int, p *Pass) error { return errSketch }

// Encode computes means and log-variances, dst [n, 2·Latent, h/Factor, w/Factor] with the means first, from
// images x [n, In, h, w]; h and w are multiples of Factor. See [VAE.Sample].
func (v *VAE) Encode(dst, x []float32, n, h, w int, p *Pass) error { return errSketch }

// Sample computes z = mean + e^(½·logvar)·noise from what Encode gave for n images, each log-variance
// brought to [-30, 20]; z and noise [n, Latent, h, w]. With noise nil it is the mean.
func (v *VAE) Sample(z, moments, noise []float32, n int) {}
