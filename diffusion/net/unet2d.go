package net

// UNet2D is diffusers' UNet2DModel: pixels and a time, perhaps a class, to a prediction.
//
// Source: Ho, Jain, Abbeel 2020, arXiv:2006.11239; models/unets/unet_2d.py in huggingface/diffusers 0.42.
type UNet2D struct {
	weights
	In, Out    int // channels
	SampleSize int // the usual height and width, 0 if the configuration has none
	Classes    int // rows of the class embedding, 0 without
}

// NewUNet2D builds the network of a folder. The error tells everything that is wrong.
func NewUNet2D(ck Checkpoint, o Options) (*UNet2D, error) { return nil, errSketch }

// Forward computes dst [n, Out, h, w] from x [n, In, h, w]. t [n] are the times, fractions allowed; class [n]
// the rows of the class embedding, nil without one. dst may be x if Out = In. An error is about sizes, a class that does not
// exist, or, where p asks, a value that is not finite.
func (u *UNet2D) Forward(dst, x []float32, n, h, w int, t []float64, class []int32, p *Pass) error {
	return errSketch
}
