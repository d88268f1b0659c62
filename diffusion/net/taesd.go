package net

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
}

// NewTAESD builds the network of a folder. The error tells everything that is wrong.
func NewTAESD(ck Checkpoint, o Options) (*TAESD, error) { return nil, errSketch }

// Decode computes images dst [n, Out, h·Factor, w·Factor], about -1 to 1, from z [n, Latent, h, w].
func (a *TAESD) Decode(dst, z []float32, n, h, w int, p *Pass) error { return errSketch }

// Encode computes z [n, Latent, h/Factor, w/Factor] from images x [n, In, h, w] of -1 to 1; h and w are multiples
// of Factor.
func (a *TAESD) Encode(z, x []float32, n, h, w int, p *Pass) error { return errSketch }
