package nn

import "github.com/mminfer/mminfer/kernels/vec"

// NegExp computes x = -eˣ, what A_log stands for, and returns it.
func NegExp(x []float32) []float32 {
	vec.Exp(x, x)
	vec.Scale(x, -1, x)
	return x
}

// LowerBounds returns the lower bounds of the forget gates of an HGRN's layers from their logits
// [L, D]: the softmax over the layers, summed up to each layer, less the first.
func LowerBounds(logits []float32, layers int) [][]float32 {
	if len(logits) == 0 {
		return make([][]float32, layers)
	}
	d := len(logits) / layers
	column, bounds := make([]float32, layers), make([][]float32, layers)
	for l := range bounds {
		bounds[l] = make([]float32, d)
	}
	for c := range d {
		for l := range column {
			column[l] = logits[l*d+c]
		}
		sum := vec.ExpSum(column, column, 1, vec.Max(column))
		var bound float32
		for l := 1; l < layers; l++ {
			bound += column[l] / sum
			bounds[l][c] = bound
		}
	}
	return bounds
}
