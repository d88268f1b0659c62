//go:build (!amd64 && !arm64) || purego

package gemm

import "github.com/mminfer/mminfer/kernels/quant"

func code(c quant.Code, dst []float32, x quant.Rows8, w []byte, d Dims) {
	codeGeneric(c, dst, x, w, d)
}
