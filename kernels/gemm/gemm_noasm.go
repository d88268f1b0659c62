//go:build (!amd64 && !arm64) || purego

package gemm

import "github.com/mminfer/mminfer/kernels/quant"

func f32(dst, x, w []float32, d Dims, add bool) { f32Generic(dst, x, w, d, add) }

func bf16(dst, x []float32, w []uint16, d Dims, add bool) { bf16Generic(dst, x, w, d, add) }

func f16(dst, x []float32, w []uint16, d Dims, add bool) { f16Generic(dst, x, w, d, add) }

func bf16Dot(dst []float32, x, w []uint32, d Dims, add bool) { bf16DotGeneric(dst, x, w, d, add) }

func q8(dst []float32, x quant.Rows8, w []byte, d Dims) { q8Generic(dst, x, w, d) }
