package vec

import (
	"math"

	"github.com/mminfer/mminfer/kernels"
)

// Max returns the largest element of x: -Inf if x is empty, NaN if any element is NaN. A zero
// is returned as +0, so that the order in which elements meet cannot show.
func Max(x []float32) float32 { return maximum(x) }

// ExpSum computes dst = e^(x·scale - shift), the argument rounded once, and returns the sum of
// dst: element i goes to partial sum i mod 16, in order, and [kernels.Tree16] adds the sixteen.
// With scale > 0 an element -Inf gives 0.
func ExpSum(dst, x []float32, scale, shift float32) float32 {
	same("ExpSum", len(dst), len(x))
	return expSum(dst, x, scale, shift)
}

func maximumGeneric(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		if v != v {
			return v
		}
		if v > m {
			m = v
		}
	}
	return m + 0
}

func expSumGeneric(dst, x []float32, scale, shift float32) float32 {
	var p [16]float32
	for i, v := range x {
		dst[i] = exp1(kernels.FMA(v, scale, -shift))
		p[i%16] += dst[i]
	}
	return kernels.Tree16(&p)
}
