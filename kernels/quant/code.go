package quant

import (
	"encoding/binary"
	"fmt"

	"github.com/x448/float16"
)

// Code is a weight format of fewer than 8 bits.
type Code uint8

// The formats. A weight is scale · level(code), for Q4L scale · code + minimum, with a scale, and a
// minimum, in half precision for each row and block of 32.
const (
	Q4  Code = iota // 4 bits: 16 levels, denser near zero
	Q4L             // 4 bits: evenly spaced levels 0 to 15 and a minimum
	Q5              // 5 bits: -16 to 15
	Q6              // 6 bits: -32 to 31
)

// grid4 are the levels of [Q4]: those of IQ4_NL in ggml-org/llama.cpp@01243c5,
// ggml/src/ggml-common.h (kvalues_iq4nl).
var grid4 = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// codes is the table of formats.
var codes = [...]struct {
	high   int   // bits of a code beyond four
	offset int32 // of the levels of evenly spaced codes
	scales int   // half-precision numbers of a row and block
}{
	Q4: {scales: 1}, Q4L: {scales: 2}, Q5: {1, 16, 1}, Q6: {2, 32, 1},
}

// Bits returns the bits of a code.
func (c Code) Bits() int { return 4 + codes[c].high }

// BlockSize returns the bytes of a panel's codes of one block.
//
// First come the low four bits of all codes, 256 bytes: byte 64·v + 4·r + i holds those of row r,
// columns 4v + i in the low half and 16 + 4v + i in the high one. Then the fifth bits of [Q5], 64
// bytes: bit j of byte 4·r + i is that of column 4j + i. Or the upper two of [Q6], 128 bytes: bits 2j
// and 2j+1 of byte 4·r + i are those of column 4j + i, in the second 64 bytes of column 16 + 4j + i.
func (c Code) BlockSize() int { return 256 + 64*codes[c].high }

// ScaleSize returns the bytes of a panel's scales of one block: 16 scales, and behind them the 16
// minima of [Q4L].
func (c Code) ScaleSize() int { return 2 * Rows * codes[c].scales }

// Size returns the bytes of one panel of k columns: the blocks, then their scales. Columns beyond k
// have some code; activations there are 0.
func (c Code) Size(k int) int { return Blocks(k) * (c.BlockSize() + c.ScaleSize()) }

// Level returns the level of a code.
func (c Code) Level(code byte) int32 {
	if c == Q4 {
		return int32(grid4[code])
	}
	return int32(code) - codes[c].offset
}

// At returns the code of element (r, i) of a panel of k columns.
func (c Code) At(panel []byte, k, r, i int) byte {
	block, j := panel[i/Block*c.BlockSize():], i%Block
	at := 4*r + j%4
	code := block[j%16/4*64+at] >> (j / 16 * 4) & 15
	switch c {
	case Q5:
		code |= block[256+at] >> (j / 4) & 1 << 4
	case Q6:
		code |= block[256+j/16*64+at] >> (j % 16 / 4 * 2) & 3 << 4
	}
	return code
}

// Scales returns scale and minimum, 0 without one, of row r and block b of a panel of k columns.
func (c Code) Scales(panel []byte, k, r, b int) (scale, least float32) {
	s := panel[Blocks(k)*c.BlockSize()+b*c.ScaleSize()+2*r:]
	if codes[c].scales > 1 {
		least = float16.Frombits(binary.LittleEndian.Uint16(s[2*Rows:])).Float32()
	}
	return float16.Frombits(binary.LittleEndian.Uint16(s)).Float32(), least
}

// Row decodes elements of row r of a panel of k columns, from a column on.
func (c Code) Row(dst []float32, panel []byte, k, r, from int) {
	for len(dst) > 0 {
		b := from / Block
		n := min((b+1)*Block-from, len(dst))
		scale, least := c.Scales(panel, k, r, b)
		for i := range dst[:n] {
			dst[i] = float32(scale*float32(c.Level(c.At(panel, k, r, from+i)))) + least
		}
		dst, from = dst[n:], from+n
	}
}

// SetBlock stores the codes of row r and block b of a panel of k columns whose block was cleared,
// and the bits of their scale and minimum.
func (c Code) SetBlock(panel []byte, k, r, b int, code *[Block]byte, scale, least uint16) {
	block := panel[b*c.BlockSize() : (b+1)*c.BlockSize()]
	for j, q := range code {
		at := 4*r + j%4
		block[j%16/4*64+at] |= q & 15 << (j / 16 * 4)
		switch c {
		case Q5:
			block[256+at] |= q >> 4 << (j / 4)
		case Q6:
			block[256+j/16*64+at] |= q >> 4 << (j % 16 / 4 * 2)
		}
	}
	s := panel[Blocks(k)*c.BlockSize()+b*c.ScaleSize()+2*r:]
	binary.LittleEndian.PutUint16(s, scale)
	if codes[c].scales > 1 {
		binary.LittleEndian.PutUint16(s[2*Rows:], least)
	}
}

// Columns writes columns of a panel of k, those from a multiple of 32 on: columns [m, 16], m a multiple
// of 32 but at the end of the panel. Each block of the first n ≤ 16 rows has the codes and the scale
// that [Code.Fit] finds with the importance of the panel's columns, [k], or nil; missing rows are zero.
// It panics unless panel has [Code.Size] bytes and the columns are such.
func (c Code) Columns(panel []byte, columns []float32, n, k, from int, importance []float32) {
	checkBlocks("Columns", len(panel), c.Size(k), len(columns), k, from)
	if n > Rows || importance != nil && len(importance) != k {
		panic(fmt.Sprintf("quant.Columns: %d rows, importance of %d columns, want %d", n, len(importance), k))
	}
	for b := from / Block; len(columns) > 0; b++ {
		m := min(Block*Rows, len(columns))
		var weights []float32
		if importance != nil {
			weights = importance[b*Block : b*Block+m/Rows]
		}
		c.columnsBlock(panel, columns[:m], n, k, b, weights)
		columns = columns[m:]
	}
}

// columnsBlockGeneric writes block b of n rows.
func (c Code) columnsBlockGeneric(panel []byte, columns []float32, n, k, b int, importance []float32) {
	clear(panel[b*c.BlockSize() : (b+1)*c.BlockSize()])
	clear(panel[Blocks(k)*c.BlockSize()+b*c.ScaleSize():][:c.ScaleSize()])
	for r := range n {
		c.fitRow(panel, columns, k, r, b, importance)
	}
}

// fitRow writes row r of block b, whose codes were cleared.
func (c Code) fitRow(panel []byte, columns []float32, k, r, b int, importance []float32) {
	var block [Block]float32
	row := block[:len(columns)/Rows]
	for i := range row {
		row[i] = columns[i*Rows+r]
	}
	var code [Block]byte
	scale, least := c.Fit(&code, row, importance)
	c.SetBlock(panel, k, r, b, &code, scale.Bits(), least.Bits())
}
