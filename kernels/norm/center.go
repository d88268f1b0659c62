package norm

import "github.com/mminfer/mminfer/kernels/vec"

// Center takes the mean away from every group of d elements.
//
//	dst[g,i] = x[g,i] - Σᵢ x[g,i]/d
//
// The sum is that of [vec.Sum]. Followed by [RMS] and the addition of a bias it is a layer norm.
// Shapes: dst, x [G, d]. dst may be x exactly or not overlap it. It panics if d < 1, the lengths
// of dst and x differ or are no multiple of d.
//
// Source: Ba, Kiros, Hinton 2016, arXiv:1607.06450, equation 3.
func Center(dst, x []float32, d int) {
	check("Center", dst, x, d)
	for ; len(x) > 0; dst, x = dst[d:], x[d:] {
		vec.Shift(dst[:d], x[:d], -vec.Sum(x[:d])/float32(d))
	}
}
