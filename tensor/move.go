package tensor

import (
	"encoding/binary"
	"math/bits"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
	"github.com/mminfer/mminfer/kernels/vec"
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

// moveBlocks is how many blocks of 32 of a row are moved at a time: a multiple of every type's block, and
// enough for the processor to foresee what is read next.
const moveBlocks = 64

// movedRow is what a panel of a quantised format has of some blocks of a row, in the panel's order: the
// codes four bytes at a time, the scales two.
type movedRow struct {
	codes  [moveBlocks * quant.Block]byte
	scales [moveBlocks * 4]byte
}

// storedRow is the rest of a row as a checkpoint has it: blocks, or the panel in which a Packed row has its
// next codes and scales.
type storedRow struct {
	Type
	data          []byte
	codes, scales int
}

// moved packs n rows whose codes and scales the format can hold as they are, and reports whether it
// did.
func (p *packing) moved(dst []byte, s *packScratch, first, n int) bool {
	if !formats[p.format].eight {
		return false
	}
	var from [gemm.Rows]storedRow
	for r := range n {
		var ok bool
		if from[r], ok = p.storedRow(first + r); !ok {
			return false
		}
	}
	each, scale := p.format.blockSizes()
	all := quant.Blocks(p.cols)
	dst, dstScales := dst[:all*each], dst[all*each:]
	for at := 0; at < all; at += moveBlocks {
		m := min(moveBlocks, all-at)
		var codes, scales [gemm.Rows][]byte
		for r := range n {
			codes[r], scales[r] = s.moved[r].codes[:m*each/gemm.Rows], s.moved[r].scales[:m*scale/gemm.Rows]
			from[r].move(codes[r], scales[r])
		}
		interleave32(view[uint32](dst[at*each:]), codes[:n], m*each/gemm.Rows/4)
		interleave16(view[uint16](dstScales[at*scale:]), scales[:n], m*scale/gemm.Rows/2)
	}
	return true
}

// storedRow returns row r of the stack, and whether it can be moved.
func (p *packing) storedRow(r int) (storedRow, bool) {
	t, row := p.source(r)
	if t.Type != Packed {
		size := len(t.Data) / t.Shape[0]
		return storedRow{Type: t.Type, data: t.Data[row*size:]}, moves(t.Type, p.format, p.cols)
	}
	from := t.rows().panels[0]
	if from.format != p.format {
		return storedRow{}, false
	}
	panel, i := from.panel(row)
	each, _ := p.format.blockSizes()
	return storedRow{Packed, panel, 4 * i, quant.Blocks(p.cols)*each + 2*i}, true
}

// interleave32 lays rows of k units of four bytes side by side, whatever they are: see [quant.Columns32].
func interleave32(dst []uint32, rows [][]byte, k int) {
	quant.Columns32(dst, rows, k)
	if bigEndian() {
		turn(dst[:k*gemm.Rows], bits.ReverseBytes32)
	}
}

// interleave16 does the same with two bytes.
func interleave16(dst []uint16, rows [][]byte, k int) {
	quant.Columns16(dst, rows, k)
	if bigEndian() {
		turn(dst[:k*gemm.Rows], bits.ReverseBytes16)
	}
}

// turn replaces numbers by those of the other byte order.
func turn[E uint16 | uint32](x []E, reverse func(E) E) {
	for i, v := range x {
		x[i] = reverse(v)
	}
}

// move fills codes and scales from the next blocks.
func (x *storedRow) move(codes, scales []byte) {
	switch x.Type {
	case Packed:
		for ; len(codes) > 0; codes, x.codes = codes[4:], x.codes+4*gemm.Rows {
			copy(codes[:4], x.data[x.codes:])
		}
		for ; len(scales) > 0; scales, x.scales = scales[2:], x.scales+2*gemm.Rows {
			copy(scales[:2], x.data[x.scales:])
		}
	case Q8_0:
		x.data = moveQ8(codes, scales, x.data)
	case Q4_0, Q4_1, IQ4_NL:
		x.data = moveQ4(x.Type, codes, scales, x.data)
	case Q5_0:
		x.data = moveQ5(codes, scales, x.data)
	case Q4_K:
		x.data = moveQ4K(codes, scales, x.data)
	case IQ4_XS:
		x.data = moveIQ4XS(codes, scales, x.data)
	}
}

// The functions below move blocks until codes are full, and return the blocks that are left.

// moveQ8 moves Q8_0: codes get 128 added.
func moveQ8(codes, scales, b []byte) []byte {
	for ; len(codes) > 0; codes, scales, b = codes[32:], scales[2:], b[34:] {
		c, q := (*[32]byte)(codes), (*[34]byte)(b)
		copy(scales[:2], q[:2])
		for i := 0; i < 32; i += 8 {
			setWord(c[i:], word(q[2+i:])^(128*ones))
		}
	}
	return b
}

// moveQ4 moves the types whose codes a panel has in the same order.
func moveQ4(t Type, codes, scales, b []byte) []byte {
	_, size := t.Block()
	for ; len(codes) > 0; codes, b = codes[16:], b[size:] {
		*(*[16]byte)(codes) = [16]byte(b[size-16:])
		copy(scales[:2], b[:2])
		scales = scales[2:]
		switch t {
		case Q4_0:
			binary.LittleEndian.PutUint16(scales, minimum40(binary.LittleEndian.Uint16(b)))
		case Q4_1:
			copy(scales[:2], b[2:4])
		default:
			continue
		}
		scales = scales[2:]
	}
	return b
}

// minimum40 returns -8 times a number in half precision.
func minimum40(h uint16) uint16 {
	if exponent := h >> 10 & 31; exponent == 0 || exponent >= 28 {
		return Float16(-8 * float16.Frombits(h).Float32())
	}
	return h ^ 0x8000 + 3<<10
}

// moveQ5 moves Q5_0.
func moveQ5(codes, scales, b []byte) []byte {
	for ; len(codes) > 0; codes, scales, b = codes[20:], scales[2:], b[22:] {
		copy(scales[:2], b[:2])
		copy(codes[:16], b[6:22])
		binary.LittleEndian.PutUint32(codes[16:], everyFourth(binary.LittleEndian.Uint32(b[2:])))
	}
	return b
}

// everyFourth returns bits 0, 4, ... 28, then bits 1, 5, ... 29 and so on: 4j+i becomes 8i+j as bits of
// that number change places, 4 with 1, 3 with 0, 2 with 1 and 1 with 0.
func everyFourth(v uint32) uint32 {
	v = swapBits(v, 14, 0x0000cccc)
	v = swapBits(v, 7, 0x00aa00aa)
	v = swapBits(v, 2, 0x0c0c0c0c)
	return swapBits(v, 1, 0x22222222)
}

// swapBits exchanges the bits of a mask with those that lie n above.
func swapBits(v uint32, n int, mask uint32) uint32 {
	t := (v>>n ^ v) & mask
	return v ^ t ^ t<<n
}

// moveQ4K moves Q4_K, in which a byte has codes of two groups: those of columns 16 apart
// come together.
func moveQ4K(codes, scales, b []byte) []byte {
	for ; len(codes) > 0; codes, scales, b = codes[128:], scales[32:], b[144:] {
		for g := 0; g < 128; g += 32 {
			q, c := (*[32]byte)(b[16+g:]), (*[32]byte)(codes[g:])
			for i := 0; i < 16; i += 8 {
				x, y := word(q[i:]), word(q[16+i:])
				setWord(c[i:], x&low|y&low<<4)
				setWord(c[16+i:], x>>4&low|y&^low)
			}
		}
		d, m := half(b), -half(b[2:])
		scale, least := scales45K(b[4:16])
		var v [16]float32
		for g := range 8 {
			v[2*g], v[2*g+1] = d*float32(scale>>(8*g)&63), m*float32(least>>(8*g)&63)
		}
		halves(scales[:32], &v)
	}
	return b
}

// moveIQ4XS moves IQ4_XS.
func moveIQ4XS(codes, scales, b []byte) []byte {
	for ; len(codes) > 0; codes, scales, b = codes[128:], scales[16:], b[136:] {
		copy(codes[:128], b[8:136])
		d := half(b)
		var v [16]float32
		for g := range 8 {
			v[g] = d * float32(scaleIQ4XS(b, g))
		}
		halves(scales[:16], &v)
	}
	return b
}

// halves writes numbers as [Float16] rounds them, as many as dst has room for.
func halves(dst []byte, v *[16]float32) {
	const each = 0x0001000100010001
	var h [16]uint16
	vec.ToF16(h[:], v[:])
	for i := 0; i < len(dst); i += 8 {
		q := h[i/2:][:4]
		x := uint64(q[0]) | uint64(q[1])<<16 | uint64(q[2])<<32 | uint64(q[3])<<48
		infinite := ^(x&(0x7fff*each) ^ 0x7c00*each + 0x7fff*each) >> 15 & each
		setWord(dst[i:], x-infinite) // the largest finite number
	}
}
