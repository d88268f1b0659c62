package attn

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels"
)

// Rope rotates the first r = 2·len(cos) elements of one head in place, half-split: with h = r/2
//
//	(xᵢ, xᵢ₊ₕ) ← (xᵢ·cosᵢ - xᵢ₊ₕ·sinᵢ, xᵢ₊ₕ·cosᵢ + xᵢ·sinᵢ),  i < h
//
// The products with sin are rounded, those with cos are fused. It panics if cos and sin differ
// in length or r exceeds len(x).
//
// Source: Su et al. 2021, arXiv:2104.09864, in the arrangement of rotate_half in
// huggingface/transformers, models/llama/modeling_llama.py.
func Rope(x []float32, cos, sin []float32) {
	if len(cos) != len(sin) || 2*len(cos) > len(x) {
		panic(fmt.Sprintf("attn.Rope: len(x)=%d, len(cos)=%d, len(sin)=%d", len(x), len(cos), len(sin)))
	}
	rope(x, cos, sin)
}

func ropeGeneric(x []float32, cos, sin []float32) {
	h := len(cos)
	for i, c := range cos {
		a, b, s := x[i], x[i+h], sin[i]
		x[i] = kernels.FMA(a, c, -float32(b*s))
		x[i+h] = kernels.FMA(b, c, float32(a*s))
	}
}
