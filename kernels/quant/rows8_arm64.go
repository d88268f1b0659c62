//go:build !purego

package quant

import "github.com/mminfer/mminfer/kernels"

var useQuantizeNEON = true

func init() { kernels.Register("quant.Quantize", "NEON", &useQuantizeNEON) }

//go:noescape
func quantizeBlocksNEON(q *int8, wide *int16, scale *float32, sum *int32, x *float32, blocks int)

// quantizeRow leaves a last, partial block to the portable code.
func quantizeRow(x Rows8, t int, row []float32) {
	whole := 0
	if useQuantizeNEON {
		nb := Blocks(x.K)
		if whole = len(row) / Block; whole > 0 {
			quantizeBlocksNEON(&x.Q[t*Stride(x.K)], &x.Wide[t*Stride(x.K)], &x.Scale[t*nb], &x.Sum[t*nb], &row[0], whole)
		}
	}
	quantizeRowGeneric(x, t, row, whole)
}
