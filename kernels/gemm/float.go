package gemm

import (
	"math"

	"github.com/x448/float16"
)

func f32Generic(dst, x, w []float32, d Dims, add bool) {
	floatGeneric(dst, x, w, d, add, func(w float32) float32 { return w })
}

func bf16Generic(dst, x []float32, w []uint16, d Dims, add bool) {
	floatGeneric(dst, x, w, d, add, func(w uint16) float32 { return math.Float32frombits(uint32(w) << 16) })
}

func f16Generic(dst, x []float32, w []uint16, d Dims, add bool) {
	floatGeneric(dst, x, w, d, add, func(w uint16) float32 { return float16.Frombits(w).Float32() })
}
