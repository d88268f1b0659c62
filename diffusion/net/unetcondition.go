package net

import "github.com/mminfer/mminfer/tensor"

// UNet2DCondition is the UNet of Stable Diffusion 1 and 2: it attends to a text.
//
// Source: Rombach et al. 2022, arXiv:2112.10752; models/unets/unet_2d_condition.py in huggingface/diffusers 0.42.
type UNet2DCondition struct {
	weights
	In, Out     int // channels
	SampleSize  int // the usual height and width of latents, 0 if the configuration has none
	ContextDim  int // columns of the context
	GuidanceDim int // of the embedded guidance scale (latent consistency models), 0 without
}

// Context is the texts of a batch as the network's layers see them: keys and values, computed once for
// all steps. It is immutable.
type Context struct {
	n int // samples
}

// N returns the number of samples.
func (c *Context) N() int { return c.n }

// NewUNet2DCondition builds the network of a folder. The error tells everything that is wrong, and names
// what is not supported.
func NewUNet2DCondition(ck Checkpoint, o Options) (*UNet2DCondition, error) { return nil, errSketch }

// Context prepares the hidden states of n texts, text [n·T, ContextDim], T rows for each.
func (u *UNet2DCondition) Context(text tensor.Mat, n int, p *Pass) (*Context, error) {
	return nil, errSketch
}

// Forward computes dst [n, Out, h, w] from latents x [n, In, h, w] of any size. t [n] are the times, fractions
// allowed. ctx has n samples. guidance [n] are the guidance scales of a network with GuidanceDim, else nil.
// dst may be x if Out = In. An error is about sizes or, where p asks, a value that is not finite.
func (u *UNet2DCondition) Forward(dst, x []float32, n, h, w int, t []float64, ctx *Context, guidance []float64, p *Pass) error {
	return errSketch
}
