//go:build !purego

package quant

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var useQuantizeAVX2 = cpu.X86.HasAVX2

func init() { kernels.Register("quant.Quantize", "AVX2", &useQuantizeAVX2) }

//go:noescape
func quantizeBlocksAVX2(q *int8, wide *int16, scale *float32, sum *int32, x *float32, blocks int)

// quantizeRow leaves a last, partial block to the portable code.
func quantizeRow(x Rows8, t int, row []float32) {
	whole := 0
	if useQuantizeAVX2 {
		nb := Blocks(x.K)
		if whole = len(row) / Block; whole > 0 {
			quantizeBlocksAVX2(&x.Q[t*Stride(x.K)], &x.Wide[t*Stride(x.K)], &x.Scale[t*nb], &x.Sum[t*nb], &row[0], whole)
		}
	}
	quantizeRowGeneric(x, t, row, whole)
}
