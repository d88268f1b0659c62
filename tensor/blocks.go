package tensor

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/quant"
)

// decodeBlocks converts whole blocks. Every product of a scale and a stored number fits the 24 bits
// of a float32, or is the last operation, so that each element is the exact value rounded once.
//
// Source: the block structures of ggml-org/llama.cpp@01243c5, ggml/src/ggml-common.h, and
// dequantize_row_* in ggml-quants.c.
func decodeBlocks(t Type, dst []float32, b []byte) {
	elements, size := t.Block()
	var k block
	for ; len(dst) > 0; dst, b = dst[elements:], b[size:] {
		switch t {
		case IQ4_NL:
			decodeIQ4(dst, b[2:], half(b))
			continue
		case IQ4_XS:
			for g := range 8 {
				decodeIQ4(dst[g*32:], b[8+g*16:], half(b)*float32(scaleIQ4XS(b, g)))
			}
			continue
		case Q4_0:
			k.nibbles(b[2:], 0, 8)
			k.scales(0, 2, half(b), none)
		case Q4_1:
			k.nibbles(b[4:], 0, 0)
			k.scales(0, 2, half(b), half(b[2:]))
		case Q5_0:
			k.nibbles(b[6:], binary.LittleEndian.Uint32(b[2:]), 16)
			k.scales(0, 2, half(b), none)
		case Q5_1:
			k.nibbles(b[8:], binary.LittleEndian.Uint32(b[4:]), 0)
			k.scales(0, 2, half(b), half(b[2:]))
		case Q8_0:
			copy(k.codes[:32], b[2:34])
			k.scales(0, 2, half(b), none)
		case Q2_K:
			k.q2K(b)
		case Q3_K:
			k.q3K(b)
		case Q4_K:
			k.q45K(b, nil, b[16:])
		case Q5_K:
			k.q45K(b, b[16:48], b[48:])
		case Q6_K:
			k.q6K(b)
		}
		quant.Affine(dst[:elements], k.codes[:elements], k.scale[:elements/quant.Group], k.least[:elements/quant.Group])
	}
}

// block is a block in the form that [quant.Affine] decodes.
type block struct {
	codes        [256]byte
	scale, least [256 / quant.Group]float32
}

// none is no minimum: -0.
var none = float32(math.Copysign(0, -1))

// half returns the half-precision number at the start of b.
func half(b []byte) float32 { return float16.Frombits(binary.LittleEndian.Uint16(b)).Float32() }

// word and setWord read and write eight bytes.
func word(b []byte) uint64       { return binary.LittleEndian.Uint64(b) }
func setWord(b []byte, v uint64) { binary.LittleEndian.PutUint64(b, v) }

// ones is a word of eight bytes of 1; low has the lower halves of bytes.
const (
	ones = 0x0101010101010101
	low  = 15 * ones
)

// less subtracts n from eight bytes below 128-n, the differences signed.
func less(v, n uint64) uint64 { return (v + (128-n)*ones) ^ 128*ones }

// scales sets the scale and the minimum of n groups.
func (k *block) scales(g, n int, scale, least float32) {
	for i := range n {
		k.scale[g+i], k.least[g+i] = scale, least
	}
}

// nibbles unpacks 32 codes of four bits, the low halves of the bytes first, and a fifth above them, and
// subtracts n from each.
func (k *block) nibbles(qs []byte, fifth uint32, n uint64) {
	for i := 0; i < 16; i += 8 {
		q := word(qs[i:])
		setWord(k.codes[i:], less(q&low|spread(fifth>>i), n))
		setWord(k.codes[16+i:], less(q>>4&low|spread(fifth>>(16+i)), n))
	}
}

// spread makes eight bits the bits 4 of eight bytes.
func spread(v uint32) uint64 {
	const each = 0x8040201008040201 // bit i of byte i
	x := uint64(v&255) * ones & each
	return (x + 127*ones) & (128 * ones) >> 3
}

// q2K unpacks 16 groups of 16 elements d·scale·q - dmin·min, scale and min of 4 bits.
// Byte i of each half of q holds elements i, i+32, i+64 and i+96.
func (k *block) q2K(b []byte) {
	d, m := half(b[80:]), -half(b[82:])
	for g, s := range b[:16] {
		k.scales(g, 1, d*float32(s&15), m*float32(s>>4))
	}
	for i := 0; i < 64; i += 8 {
		q, c := word(b[16+i:]), k.codes[i/32*128+i%32:][:104]
		setWord(c[0:], q&(3*ones))
		setWord(c[32:], q>>2&(3*ones))
		setWord(c[64:], q>>4&(3*ones))
		setWord(c[96:], q>>6&(3*ones))
	}
}

// q3K unpacks 16 groups of 16 elements d·(scale-32)·(q-4), scale of 6 bits. The low two bits of q lie as
// in Q2_K, the third in the mask before them.
func (k *block) q3K(b []byte) {
	mask, qs, packed, d := b[:32], b[32:96], b[96:108], half(b[108:])
	for g := range 16 {
		low := packed[g%8] >> (g / 8 * 4) & 15
		high := packed[8+g%4] >> (g / 4 * 2) & 3
		k.scales(g, 1, d*float32(int(low|high<<4)-32), none)
	}
	for i := 0; i < 64; i += 8 {
		q, third := word(qs[i:]), word(mask[i%32:])>>(i/32*4)
		c := k.codes[i/32*128+i%32:][:104]
		setWord(c[0:], less(q&(3*ones)|third&ones<<2, 4))
		setWord(c[32:], less(q>>2&(3*ones)|third&(2*ones)<<1, 4))
		setWord(c[64:], less(q>>4&(3*ones)|third&(4*ones), 4))
		setWord(c[96:], less(q>>6&(3*ones)|third&(8*ones)>>1, 4))
	}
}

// q45K unpacks 8 groups of 32 elements d·scale·q - dmin·min, scale and min of 6 bits. The bytes of q
// hold two groups, low halves first; the fifth bits of q, if there are any, are bit g of qh for group g.
func (k *block) q45K(b, qh, qs []byte) {
	d, m := half(b), -half(b[2:])
	scale, least := scales45K(b[4:16])
	for g := range 8 {
		k.scales(2*g, 2, d*float32(scale>>(8*g)&63), m*float32(least>>(8*g)&63))
	}
	var fifth uint64
	for i := 0; i < 128; i += 8 {
		if qh != nil {
			fifth = word(qh[i%32:]) >> (i / 32 * 2)
		}
		q, c := word(qs[i:]), k.codes[i/32*64+i%32:][:40]
		setWord(c[0:], q&low|fifth&ones<<4)
		setWord(c[32:], q>>4&low|fifth&(2*ones)<<3)
	}
}

// scales45K unpacks scales and minima of 8 groups, a byte each.
func scales45K(packed []byte) (scale, least uint64) {
	a, b, c := binary.LittleEndian.Uint32(packed), binary.LittleEndian.Uint32(packed[4:]), binary.LittleEndian.Uint32(packed[8:])
	const six, four, two = 0x3f3f3f3f, 0x0f0f0f0f, 0x30303030
	return uint64(a&six) | uint64(c&four|a>>2&two)<<32, uint64(b&six) | uint64(c>>4&four|b>>2&two)<<32
}

// q6K unpacks 16 groups of 16 elements d·scale·(q-32), scale of 8 bits. In each half, of four times 32
// elements, the low four bits of q lie two to a byte of 64, the high two four to a byte of 32.
func (k *block) q6K(b []byte) {
	d := half(b[208:])
	for g, s := range b[192:208] {
		k.scales(g, 1, d*float32(int8(s)), none)
	}
	for i := 0; i < 64; i += 8 {
		q, high := b[i/32*64+i%32:][:40], word(b[128+i:])
		x, y, c := word(q[0:]), word(q[32:]), k.codes[i/32*128+i%32:][:104]
		setWord(c[0:], less(x&low|high&(3*ones)<<4, 32))
		setWord(c[32:], less(y&low|high&(12*ones)<<2, 32))
		setWord(c[64:], less(x>>4&low|high&(48*ones), 32))
		setWord(c[96:], less(y>>4&low|high&(192*ones)>>2, 32))
	}
}

// iq4 are the values that the 4 bits of IQ4_NL and IQ4_XS stand for.
var iq4 = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// decodeIQ4 decodes 32 elements d·iq4[q]; the low halves of the bytes come first.
func decodeIQ4(dst []float32, qs []byte, d float32) {
	lo, hi := (*[16]float32)(dst), (*[16]float32)(dst[16:])
	for i, q := range (*[16]byte)(qs) {
		lo[i], hi[i] = d*iq4[q&15], d*iq4[q>>4]
	}
}

// scaleIQ4XS unpacks the scale of group g, 6 bits less 32.
func scaleIQ4XS(b []byte, g int) int {
	high, low := binary.LittleEndian.Uint16(b[2:]), b[4+g/2]>>(g%2*4)&15
	return (int(low) | int(high>>(g*2)&3)<<4) - 32
}
