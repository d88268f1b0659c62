//go:build !purego

package quant

import (
	"math/bits"

	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var useColumnsAVX2 = cpu.X86.HasAVX2 && cpu.X86.HasFMA // every processor with AVX2 has F16C

func init() { kernels.Register("quant.Columns", "AVX2", &useColumnsAVX2) }

// The fits write the codes and scales of a block of 16 whole rows, [32, 16]. Rows whose bits in usual
// are not set have no usual scale and get codes 0.

//go:noescape
func fitQ4AVX2(codes, scales *byte, columns *float32, steps *[allTries]float32) (usual uint32)

//go:noescape
func fitQ4LAVX2(codes, scales *byte, columns *float32, steps *[allTries]float32) (usual uint32)

//go:noescape
func fitQ5AVX2(codes, scales *byte, columns *float32, steps *[allTries]float32) (usual uint32)

//go:noescape
func fitQ6AVX2(codes, scales *byte, columns *float32, steps *[allTries]float32) (usual uint32)

// columnsBlock leaves blocks that are not whole or have importance, and unusual rows, to the portable
// code.
func (c Code) columnsBlock(panel []byte, columns []float32, n, k, b int, importance []float32) {
	if !useColumnsAVX2 || n < Rows || len(columns) < Block*Rows || importance != nil {
		c.columnsBlockGeneric(panel, columns, n, k, b, importance)
		return
	}
	codes, scales := &panel[b*c.BlockSize()], &panel[Blocks(k)*c.BlockSize()+b*c.ScaleSize()]
	var usual uint32
	levels := numerators[c]
	switch c {
	case Q4:
		usual = fitQ4AVX2(codes, scales, &columns[0], &levels)
	case Q4L:
		usual = fitQ4LAVX2(codes, scales, &columns[0], &levels)
	case Q5:
		usual = fitQ5AVX2(codes, scales, &columns[0], &levels)
	case Q6:
		usual = fitQ6AVX2(codes, scales, &columns[0], &levels)
	}
	for rest := ^usual & (1<<Rows - 1); rest != 0; rest &= rest - 1 {
		c.fitRow(panel, columns, k, bits.TrailingZeros32(rest), b, nil)
	}
}
