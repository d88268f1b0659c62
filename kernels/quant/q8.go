// Package quant holds the quantised formats: how weights lie in panels of 16 rows and how
// activations are brought to integers beside them.
package quant

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/x448/float16"
)

const (
	// Block is the number of elements along k that share a scale.
	Block = 32
	// Rows is the number of rows of a panel.
	Rows = 16
)

// Blocks returns how many blocks hold k elements.
func Blocks(k int) int { return (k + Block - 1) / Block }

// Q8Size returns the bytes of one panel of 8-bit weights of k columns.
//
// For every four columns a panel holds 64 bytes, four for each of 16 rows, each the quantised
// weight plus 128; k is padded with zero weights to whole blocks. Then come, for each block, 16
// half-precision scales. A weight is scale · q with |q| ≤ 127.
func Q8Size(k int) int { return Blocks(k) * (Block*Rows + 2*Rows) }

// Q8Columns writes columns of a panel of 8-bit weights, those from a multiple of 32 on: columns [n, 16],
// n a multiple of 32 but at the end of the panel, which has k. In each block scale = max|w|/127 rounded
// to half precision (at most its largest value), q = w·(1/scale) to nearest, ties to even, within
// ±127. It panics unless panel has [Q8Size] bytes and the columns are such.
func Q8Columns(panel []byte, columns []float32, k, from int) {
	checkBlocks("Q8Columns", len(panel), Q8Size(k), len(columns), k, from)
	quants, scales := panel[from*Rows:], panel[Blocks(k)*Block*Rows+from/Block*2*Rows:]
	for ; len(columns) > 0; quants, scales = quants[Block*Rows:], scales[2*Rows:] {
		n := min(Block*Rows, len(columns))
		q8Block(quants[:Block*Rows], scales[:2*Rows], columns[:n])
		columns = columns[n:]
	}
}

// checkBlocks panics unless columns from one on are whole blocks of a panel of k.
func checkBlocks(name string, panel, size, columns, k, from int) {
	n := columns / Rows
	if panel != size || columns%Rows != 0 || from < 0 || from%Block != 0 || from+n > k || n%Block != 0 && from+n < k {
		panic(fmt.Sprintf("quant.%s: %d bytes, want %d; %d elements from column %d of %d", name, panel, size, columns, from, k))
	}
}

// q8BlockGeneric writes one block of at most 32 columns, [n, 16].
func q8BlockGeneric(quants, scales []byte, columns []float32) {
	for i := range quants {
		quants[i] = 128
	}
	var block [Block]float32
	for r := range Rows {
		row := block[:len(columns)/Rows]
		for i := range row {
			row[i] = columns[i*Rows+r]
		}
		scale := weightScale(row)
		binary.LittleEndian.PutUint16(scales[2*r:], scale.Bits())
		s := scale.Float32()
		if s == 0 {
			continue
		}
		inv := 1 / s
		for i, v := range row {
			quants[(i/4*Rows+r)*4+i%4] = byte(roundQ8(v*inv, s) + 128)
		}
	}
}

// Q8Round rounds a row to what a panel of 8-bit weights would hold of it, in place.
func Q8Round(row []float32) {
	for len(row) > 0 {
		block := row[:min(Block, len(row))]
		row = row[len(block):]
		s := weightScale(block).Float32()
		if s == 0 {
			clear(block)
			continue
		}
		inv := 1 / s
		for i, v := range block {
			block[i] = float32(roundQ8(v*inv, s)) * s
		}
	}
}

// roundQ8 rounds v, a weight by the inverse of its scale, to an integer within ±127. Only under the
// largest scale can v be too large to be rounded first.
func roundQ8(v, scale float32) int32 {
	if scale == largest {
		v = max(-127, min(127, v))
	}
	return max(-127, min(127, round(v)))
}

// Q8At returns element (r, i) of a panel of k columns.
func Q8At(panel []byte, k, r, i int) float32 {
	scale := binary.LittleEndian.Uint16(panel[Blocks(k)*Block*Rows+(i/Block*Rows+r)*2:])
	return float32(int(panel[(i/4*Rows+r)*4+i%4])-128) * float16.Frombits(scale).Float32()
}

// weightScale is a block's scale in half precision.
func weightScale(block []float32) float16.Float16 {
	return float16.Fromfloat32(min(maxAbs(block)/127, largest))
}

// maxAbs returns the largest |x|, NaN if there is one.
func maxAbs(x []float32) float32 {
	var top uint32 // |x| as an integer orders floats, and NaN above them
	for _, v := range x {
		top = max(top, math.Float32bits(v)&0x7fffffff)
	}
	return math.Float32frombits(top)
}
