package vec

import "github.com/mminfer/mminfer/kernels"

// Add computes dst = a + b.
func Add(dst, a, b []float32) {
	same("Add", len(dst), len(a), len(b))
	add(dst, a, b)
}

// Mul computes dst = a · b.
func Mul(dst, a, b []float32) {
	same("Mul", len(dst), len(a), len(b))
	mul(dst, a, b)
}

// Scale computes dst = s · x.
func Scale(dst []float32, s float32, x []float32) {
	same("Scale", len(dst), len(x))
	scale(dst, s, x)
}

// Axpy computes dst = s·x + dst with one rounding.
func Axpy(dst []float32, s float32, x []float32) {
	same("Axpy", len(dst), len(x))
	axpy(dst, s, x)
}

// ReLU computes dst = max(x, 0): 0 for -0, NaN for NaN.
func ReLU(dst, x []float32) {
	same("ReLU", len(dst), len(x))
	relu(dst, x)
}

func addGeneric(dst, a, b []float32) {
	for i, v := range a {
		dst[i] = v + b[i]
	}
}

func mulGeneric(dst, a, b []float32) {
	for i, v := range a {
		dst[i] = v * b[i]
	}
}

func scaleGeneric(dst []float32, s float32, x []float32) {
	for i, v := range x {
		dst[i] = s * v
	}
}

func axpyGeneric(dst []float32, s float32, x []float32) {
	for i, v := range x {
		dst[i] = kernels.FMA(s, v, dst[i])
	}
}

func reluGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = max(v, 0)
	}
}
