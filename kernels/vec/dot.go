package vec

import "github.com/mminfer/mminfer/kernels"

// Dot returns Σ a·b: product i is fused into partial sum i mod 16, in order, and [kernels.Tree16]
// adds the sixteen.
func Dot(a, b []float32) float32 {
	same("Dot", len(a), len(b))
	return dot(a, b)
}

// Sum returns Σ x, in the order of [Dot].
func Sum(x []float32) float32 { return sum(x) }

func dotGeneric(a, b []float32) float32 {
	var p [16]float32
	for i, v := range a {
		p[i%16] = kernels.FMA(v, b[i], p[i%16])
	}
	return kernels.Tree16(&p)
}

func sumGeneric(x []float32) float32 {
	var p [16]float32
	for i, v := range x {
		p[i%16] += v
	}
	return kernels.Tree16(&p)
}

// Shift computes dst = x + s.
func Shift(dst, x []float32, s float32) {
	same("Shift", len(dst), len(x))
	shift(dst, x, s)
}

func shiftGeneric(dst, x []float32, s float32) {
	for i, v := range x {
		dst[i] = v + s
	}
}
