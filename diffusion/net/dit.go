package net

// DiT is diffusers' DiTTransformer2DModel: a transformer over patches, conditioned on a class.
//
// Source: Peebles and Xie 2023, arXiv:2212.09748; models/transformers/dit_transformer_2d.py in huggingface/diffusers 0.42.
type DiT struct {
	weights
	In, Out    int // channels; Out is often twice In, the second half a variance
	SampleSize int // the usual height and width of latents
	Patch      int // height and width must be multiples of it
	Null       int // the class that means none; those below are classes
}

// NewDiT builds the network of a folder. The error tells everything that is wrong.
func NewDiT(ck Checkpoint, o Options) (*DiT, error) { return nil, errSketch }

// Forward computes dst [n, Out, size, size] from latents x [n, In, size, size]. t [n] are the times, class [n] the
// classes, each from 0 to Null. dst and x do not overlap. An error is about sizes, a class that does not exist, or, where p asks, a
// value that is not finite.
func (d *DiT) Forward(dst, x []float32, n, size int, t []float64, class []int32, p *Pass) error {
	return errSketch
}
