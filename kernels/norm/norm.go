// Package norm holds the normalisations of rows: root mean square and unit length.
//
// A row's sum of squares is sixteen partial sums, element i fused into partial i mod 16 in
// order, added by [kernels.Tree16]; division and square root are correctly rounded. A row's
// bits therefore depend on the row alone. Sums are float32: a row whose squares add up to more
// than float32 holds becomes zeros.
package norm

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels"
)

// maxElements bounds the work of one assembly call, which cannot be preempted.
const maxElements = 1 << 16

// RMS normalises every row of x by its root mean square and weighs its columns.
//
//	dst[t,i] = (x[t,i] · s)·w[i],  s = 1 / √(Σᵢ x[t,i]²/D + eps)
//
// Shapes: dst, x [T, D]; w [D]. dst may be x exactly or not overlap it. It panics if w is empty,
// the lengths of dst and x differ or are no multiple of D.
//
// Source: Zhang and Sennrich 2019, arXiv:1910.07467, section 4.
func RMS(dst, x, w []float32, eps float32) {
	check("RMS", dst, x, len(w))
	for step := callLength(len(w)); len(x) > 0; {
		n := min(step, len(x))
		rms(dst[:n], x[:n], w, eps)
		dst, x = dst[n:], x[n:]
	}
}

// L2 scales every group of d elements to unit length.
//
//	dst[g,i] = x[g,i] · (1 / √(Σᵢ x[g,i]² + eps))
//
// Shapes: dst, x [G, d]. dst may be x exactly or not overlap it. It panics if d < 1, the lengths
// of dst and x differ or are no multiple of d.
func L2(dst, x []float32, d int, eps float32) {
	check("L2", dst, x, d)
	for step := callLength(d); len(x) > 0; {
		n := min(step, len(x))
		l2(dst[:n], x[:n], d, eps)
		dst, x = dst[n:], x[n:]
	}
}

func check(name string, dst, x []float32, d int) {
	if d < 1 || len(dst) != len(x) || len(x)%d != 0 {
		panic(fmt.Sprintf("norm.%s: len(dst)=%d, len(x)=%d, want equal multiples of the row's %d", name, len(dst), len(x), d))
	}
}

// callLength is the elements of the whole rows that one call takes.
func callLength(d int) int { return max(maxElements/d, 1) * d }

func rmsGeneric(dst, x, w []float32, eps float32) {
	d := len(w)
	for ; len(x) > 0; dst, x = dst[d:], x[d:] {
		mean := sumSquares(x[:d]) / float32(d)
		s := 1 / kernels.Sqrt(mean+eps)
		for i, v := range x[:d] {
			dst[i] = float32(v*s) * w[i]
		}
	}
}

func l2Generic(dst, x []float32, d int, eps float32) {
	for ; len(x) > 0; dst, x = dst[d:], x[d:] {
		s := 1 / kernels.Sqrt(sumSquares(x[:d])+eps)
		for i, v := range x[:d] {
			dst[i] = v * s
		}
	}
}

func sumSquares(x []float32) float32 {
	var p [16]float32
	for i, v := range x {
		p[i%16] = kernels.FMA(v, v, p[i%16])
	}
	return kernels.Tree16(&p)
}
