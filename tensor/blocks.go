package tensor

import (
	"encoding/binary"
	"math"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels/quant"
)

// decodeBlocks converts whole blocks. Every product of a scale and a stored number fits the 24 bits
// of a float32, or is the last operation, so that each element is the exact value rounded once.
func decodeBlocks(t Type, dst []float32, b []byte) {
	elements, size := t.Block()
	if !t.even() {
		for ; len(dst) > 0; dst, b = dst[elements:], b[size:] {
			if t == IQ4_NL {
				decodeIQ4(dst, b[2:], half(b))
				continue
			}
			for g := range 8 {
				decodeIQ4(dst[g*32:], b[8+g*16:], half(b)*float32(scaleIQ4XS(b, g)))
			}
		}
		return
	}
	var x blocks
	for len(dst) > 0 {
		n := min(packColumns, len(dst))
		x.unpack(t, b[:n/elements*size])
		quant.Affine(dst[:n], x.codes[:n], x.scale[:n/quant.Group], x.least[:n/quant.Group])
		dst, b = dst[n:], b[n/elements*size:]
	}
}

// even reports whether elements come in blocks and their levels are evenly spaced.
func (t Type) even() bool { return t >= Q4_0 && t <= Q6_K }

// blocks are elements in blocks in the form that [quant.Affine] decodes.
type blocks struct {
	codes        [packColumns]byte
	scale, least [packColumns / quant.Group]float32
}

// unpack fills x from the start on with blocks whose levels are even: one of 256 elements, or at most eight of 32.
//
// Source: the block structures of ggml-org/llama.cpp@01243c5, ggml/src/ggml-common.h, and
// dequantize_row_* in ggml-quants.c.
func (x *blocks) unpack(t Type, b []byte) {
	switch t {
	case Q2_K:
		x.q2K(b)
	case Q3_K:
		x.q3K(b)
	case Q4_K:
		x.q45K(b, nil, b[16:])
	case Q5_K:
		x.q45K(b, b[16:48], b[48:])
	case Q6_K:
		x.q6K(b)
	default:
		x.q32(t, b)
	}
}

// q32 unpacks blocks of 32 elements, which are two groups.
func (x *blocks) q32(t Type, b []byte) {
	_, size := t.Block()
	for i := 0; len(b) > 0; i, b = i+32, b[size:] {
		codes, least := (*[32]byte)(x.codes[i:]), none
		switch t {
		case Q4_0:
			nibbles(codes, b[2:], 0, 8)
		case Q4_1:
			nibbles(codes, b[4:], 0, 0)
			least = half(b[2:])
		case Q5_0:
			nibbles(codes, b[6:], binary.LittleEndian.Uint32(b[2:]), 16)
		case Q5_1:
			nibbles(codes, b[8:], binary.LittleEndian.Uint32(b[4:]), 0)
			least = half(b[2:])
		case Q8_0:
			copy(codes[:], b[2:])
		}
		x.scales(i/quant.Group, half(b), least)
	}
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

// scales sets the scale and the minimum of two groups.
func (x *blocks) scales(g int, scale, least float32) {
	s, m := (*[2]float32)(x.scale[g:]), (*[2]float32)(x.least[g:])
	s[0], s[1], m[0], m[1] = scale, scale, least, least
}

// nibbles unpacks 32 codes of four bits, the low halves of the bytes first, and a fifth above them, and
// subtracts n from each.
func nibbles(codes *[32]byte, b []byte, fifth uint32, n uint64) {
	qs := (*[16]byte)(b)
	for i := 0; i < 16; i += 8 {
		q := word(qs[i:])
		setWord(codes[i:], less(q&low|spread(fifth>>i), n))
		setWord(codes[16+i:], less(q>>4&low|spread(fifth>>(16+i)), n))
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
func (x *blocks) q2K(b []byte) {
	d, m := half(b[80:]), -half(b[82:])
	for g, s := range (*[16]byte)(b) {
		x.scale[g], x.least[g] = d*float32(s&15), m*float32(s>>4)
	}
	for h := range 2 {
		qs, c := (*[32]byte)(b[16+h*32:]), (*[128]byte)(x.codes[h*128:])
		for i := 0; i < 32; i += 8 {
			q := word(qs[i:])
			setWord(c[i:], q&(3*ones))
			setWord(c[32+i:], q>>2&(3*ones))
			setWord(c[64+i:], q>>4&(3*ones))
			setWord(c[96+i:], q>>6&(3*ones))
		}
	}
}

// q3K unpacks 16 groups of 16 elements d·(scale-32)·(q-4), scale of 6 bits. The low two bits of q lie as
// in Q2_K, the third in the mask before them.
func (x *blocks) q3K(b []byte) {
	mask, packed, d := (*[32]byte)(b), (*[12]byte)(b[96:]), half(b[108:])
	for g := range 16 {
		low := packed[g%8] >> (g / 8 * 4) & 15
		high := packed[8+g%4] >> (g / 4 * 2) & 3
		x.scale[g], x.least[g] = d*float32(int(low|high<<4)-32), none
	}
	for h := range 2 {
		qs, c := (*[32]byte)(b[32+h*32:]), (*[128]byte)(x.codes[h*128:])
		for i := 0; i < 32; i += 8 {
			q, third := word(qs[i:]), word(mask[i:])>>(h*4)
			setWord(c[i:], less(q&(3*ones)|third&ones<<2, 4))
			setWord(c[32+i:], less(q>>2&(3*ones)|third&(2*ones)<<1, 4))
			setWord(c[64+i:], less(q>>4&(3*ones)|third&(4*ones), 4))
			setWord(c[96+i:], less(q>>6&(3*ones)|third&(8*ones)>>1, 4))
		}
	}
}

// q45K unpacks 8 groups of 32 elements d·scale·q - dmin·min, scale and min of 6 bits. The bytes of q
// hold two groups, low halves first; the fifth bits of q, if there are any, are bit g of qh for group g.
func (x *blocks) q45K(b, qh, q []byte) {
	d, m := half(b), -half(b[2:])
	scale, least := scales45K(b[4:16])
	for g := range 8 {
		x.scales(2*g, d*float32(scale>>(8*g)&63), m*float32(least>>(8*g)&63))
	}
	var fifth uint64
	for g := range 4 {
		qs, c := (*[32]byte)(q[g*32:]), (*[64]byte)(x.codes[g*64:])
		for i := 0; i < 32; i += 8 {
			if qh != nil {
				fifth = word(qh[i:]) >> (2 * g)
			}
			q := word(qs[i:])
			setWord(c[i:], q&low|fifth&ones<<4)
			setWord(c[32+i:], q>>4&low|fifth&(2*ones)<<3)
		}
	}
}

// scales45K unpacks scales and minima of 8 groups, a byte each.
func scales45K(packed []byte) (scale, least uint64) {
	a, b, c := binary.LittleEndian.Uint32(packed), binary.LittleEndian.Uint32(packed[4:]), binary.LittleEndian.Uint32(packed[8:])
	const six, four, two = 0x3f3f3f3f, 0x0f0f0f0f, 0x30303030
	return uint64(a&six) | uint64(c&four|a>>2&two)<<32, uint64(b&six) | uint64(c>>4&four|b>>2&two)<<32
}

// q6K unpacks 16 groups of 16 elements d·scale·(q-32), scale of 8 bits.
func (x *blocks) q6K(b []byte) {
	quant.Unpack6(&x.codes, (*[192]byte)(b))
	d := half(b[208:])
	for g, s := range (*[16]byte)(b[192:]) {
		x.scale[g], x.least[g] = d*float32(int8(s)), none
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
