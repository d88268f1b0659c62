//go:build !purego

package quant

import "github.com/mminfer/mminfer/kernels"

var useQ8ColumnsNEON = true

func init() { kernels.Register("quant.Q8Columns", "NEON", &useQ8ColumnsNEON) }

//go:noescape
func q8BlockNEON(quants, scales *byte, columns *float32) (ok bool)

// q8Block leaves a partial block, and one with a NaN, to the portable code.
func q8Block(quants, scales []byte, columns []float32) {
	if !useQ8ColumnsNEON || len(columns) < Block*Rows || !q8BlockNEON(&quants[0], &scales[0], &columns[0]) {
		q8BlockGeneric(quants, scales, columns)
	}
}
