package tensor

import (
	"encoding/binary"

	"github.com/mminfer/mminfer/kernels/quant"
)

// moves reports whether elements in blocks keep their codes in a format: see [Format.For].
func moves(t Type, f Format, cols int) bool {
	n, _ := t.Block()
	return n > 1 && cols%n == 0 && f == FormatAuto.For(t) && (f.coded() || t == Q8_0)
}

// Kept returns the format that has the codes and scales of a type of elements in blocks as they are,
// and whether there is one.
func Kept(t Type) (Format, bool) {
	switch t {
	case Q8_0, Q5_0, IQ4_NL, Q4_0, Q4_1:
		return FormatAuto.For(t), true
	}
	return FormatAuto, false
}

// moveRow stores a row of elements in blocks as row r of a panel.
func moveRow(f Format, panel []byte, r int, t Tensor, row, cols int) {
	n, size := t.Type.Block()
	b := t.Data[row*(cols/n)*size : (row+1)*(cols/n)*size]
	var code [quant.Block]byte
	for i := range cols / quant.Block {
		at := i * quant.Block / n * size
		scale, least := blockCodes(t.Type, b[at:at+size], i%(n/quant.Block), &code)
		if f == FormatQ8 {
			quant.Q8Set(panel, cols, r, i, &code, scale)
		} else {
			formats[f].code.SetBlock(panel, cols, r, i, &code, scale, least)
		}
	}
}

// blockCodes returns the codes of group g of a block, and the bits of their scale and minimum.
func blockCodes(t Type, b []byte, g int, code *[quant.Block]byte) (scale, least uint16) {
	scale = binary.LittleEndian.Uint16(b)
	switch t {
	case Q8_0:
		for i, q := range b[2:34] {
			code[i] = q + 128
		}
	case Q4_0:
		nibbles(code, b[2:])
		least = Float16(-8 * half(b))
	case Q4_1:
		nibbles(code, b[4:])
		least = binary.LittleEndian.Uint16(b[2:])
	case IQ4_NL:
		nibbles(code, b[2:])
	case Q5_0:
		nibbles(code, b[6:])
		fifth := binary.LittleEndian.Uint32(b[2:])
		for i := range code {
			code[i] |= byte(fifth >> i & 1 << 4)
		}
	case Q4_K:
		s, m := scales45K(b[4:16], g)
		for i, q := range b[16+g/2*32:][:32] {
			code[i] = q >> (g % 2 * 4) & 15
		}
		scale = Float16(half(b) * float32(s))
		least = Float16(-half(b[2:]) * float32(m))
	case IQ4_XS:
		nibbles(code, b[8+g*16:])
		scale = Float16(half(b) * float32(scaleIQ4XS(b, g)))
	}
	return scale, least
}

// nibbles unpacks 32 codes; the low halves of the bytes come first.
func nibbles(code *[quant.Block]byte, qs []byte) {
	for i, q := range (*[16]byte)(qs) {
		code[i], code[i+16] = q&15, q>>4
	}
}
