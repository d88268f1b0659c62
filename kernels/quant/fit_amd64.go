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
	switch c {
	case Q4:
		usual = fitQ4AVX2(codes, scales, &columns[0], &numerators[c])
	case Q4L:
		usual = fitQ4LAVX2(codes, scales, &columns[0], &numerators[c])
	case Q5:
		usual = fitQ5AVX2(codes, scales, &columns[0], &numerators[c])
	case Q6:
		usual = fitQ6AVX2(codes, scales, &columns[0], &numerators[c])
	}
	for rest := ^usual & (1<<Rows - 1); rest != 0; rest &= rest - 1 {
		c.fitRow(panel, columns, k, bits.TrailingZeros32(rest), b, nil)
	}
}

// tables4 is what the assembly looks up of [Q4], the same in both halves of a register.
type tables4 struct {
	lastNegative, last                 [32]byte // the last integer of the first code in each range of eight
	codeNegative, code                 [32]byte // that code
	levels                             [32]byte
	column0, column1, column2, column3 [32]byte // the bytes of a column to the upper ones of four
	rows                               [32]byte // four columns of four rows to four rows of four columns
	low                                [32]byte // four bits each
}

var lookup4 = func() (t tables4) {
	column := [4]*[32]byte{&t.column0, &t.column1, &t.column2, &t.column3}
	for i := range 32 {
		at := i % 16
		for v, to := range [2][2]*[32]byte{{&t.lastNegative, &t.codeNegative}, {&t.last, &t.code}} {
			from := 8*at - 128*(1-v) // the range is from to from+7
			code := nearest4[from+reach4]
			last := 127
			for r := from + 7; r > from && nearest4[r+reach4] != code; r-- {
				last = r - 1
			}
			to[0][i], to[1][i] = byte(int8(last)), code
		}
		t.levels[i] = byte(grid4[at])
		for j, to := range column {
			to[i] = 0x80
			if at%4 == 3 {
				to[i] = byte(4*j + at/4)
			}
		}
		t.rows[i] = byte(at%4*4 + at/4)
		t.low[i] = 15
	}
	return t
}()
