//go:build !purego

package quant

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var useQ8ColumnsAVX2 = cpu.X86.HasAVX2 // every processor with AVX2 has F16C

func init() { kernels.Register("quant.Q8Columns", "AVX2", &useQ8ColumnsAVX2) }

//go:noescape
func q8BlockAVX2(quants, scales *byte, columns *float32) (ok bool)

// q8Block leaves a partial block, and one with a NaN, to the portable code.
func q8Block(quants, scales []byte, columns []float32) {
	if !useQ8ColumnsAVX2 || len(columns) < Block*Rows || !q8BlockAVX2(&quants[0], &scales[0], &columns[0]) {
		q8BlockGeneric(quants, scales, columns)
	}
}
