package nn

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels/conv"
	"github.com/mminfer/mminfer/tensor"
)

// Image is N images of H×W pixels in a matrix [N·H·W, C]: pixels in the order n, y, x are rows.
type Image struct {
	N, H, W int
	tensor.Mat
	upsampled bool // the matrix is [N·⌈H/2⌉·⌈W/2⌉, C]
}

// Upsample returns the images at twice the size, less one row or column where h or w is odd, each pixel
// repeated, as a [Conv2D] reads them; nothing is copied. It panics if h or w is not such a size.
func (x Image) Upsample(h, w int) Image {
	if (h+1)/2 != x.H || (w+1)/2 != x.W || x.upsampled {
		panic(fmt.Sprintf("nn.Upsample: %d×%d to %d×%d", x.H, x.W, h, w))
	}
	x.H, x.W, x.upsampled = h, w, true
	return x
}

// Expand writes the pixels of images that Upsample gave to dst.
func (x Image) Expand(dst Image) {
	h, w := (x.H+1)/2, (x.W+1)/2
	for i := range dst.Rows {
		n, y, col := i/(x.H*x.W), i/x.W%x.H, i%x.W
		copy(dst.Row(i), x.Row((n*h+y/2)*w+col/2))
	}
}

// Sample returns the rows of one image.
func (x Image) Sample(n int) tensor.Mat { return x.Slice(n*x.H*x.W, (n+1)*x.H*x.W) }

// Conv2D is a convolution of images with square filters; with one tap it is a projection of pixels.
type Conv2D struct {
	*Linear     // W [out, Taps·Taps·in]; see [Params.Conv]
	Taps    int // on a side, 0 for 1
	Step    int // pixels from one output to the next, 0 for 1
	Before  int // zeros before the first row and column
	After   int // and after the last
}

// Size returns the height and width of the output for images of h×w.
func (c *Conv2D) Size(h, w int) (oh, ow int) {
	taps, step, pad := max(c.Taps, 1), max(c.Step, 1), c.Before+c.After
	return (h+pad-taps)/step + 1, (w+pad-taps)/step + 1
}

// Added is what a convolution adds to its output: Sample [N, out] to all pixels of an image, Plus [pixels, out],
// which may be the output itself. Zero values add nothing.
type Added struct{ Sample, Plus tensor.Mat }

// Apply computes dst, whose size is that of [Conv2D.Size], from x, which it does not overlap.
func (c *Conv2D) Apply(dst, x Image, add Added, ws *tensor.Workspace) {
	taps := max(c.Taps, 1)
	tensor.Convolve(ws, tensor.Convolution{
		Dst: dst.Mat, X: x.Mat, W: c.W, Bias: c.Bias, Sample: add.Sample, Plus: add.Plus,
		Window: conv.Window{
			N: x.N, H: x.H, W: x.W, C: x.Cols, KH: taps, KW: taps, Step: max(c.Step, 1), Top: c.Before, Left: c.Before,
			OutH: dst.H, OutW: dst.W, Halve: x.upsampled,
		},
	})
}

// Project computes dst = x·Wᵀ + b + plus, [T, out], as one tap of a [Conv2D] does: cut by rows where there are
// many. Plus may be dst, or the zero value.
func (l *Linear) Project(dst, x, plus tensor.Mat, ws *tensor.Workspace) {
	c := Conv2D{Linear: l}
	c.Apply(Image{N: 1, H: x.Rows, W: 1, Mat: dst}, Image{N: 1, H: x.Rows, W: 1, Mat: x}, Added{Plus: plus}, ws)
}
