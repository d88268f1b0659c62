package tensor

import (
	"encoding/binary"

	"github.com/x448/float16"
)

// decodeBlocks converts whole blocks. Every product of a scale and a stored number fits the 24 bits
// of a float32, or is the last operation, so that each element is the exact value rounded once.
//
// Source: the block structures of ggml-org/llama.cpp@01243c5, ggml/src/ggml-common.h, and
// dequantize_row_* in ggml-quants.c.
func decodeBlocks(t Type, dst []float32, b []byte) {
	elements, size := t.Block()
	for ; len(dst) > 0; dst, b = dst[elements:], b[size:] {
		switch d := dst[:elements]; t {
		case Q4_0:
			decodeTable(d, b[2:], half(b), centered4)
		case IQ4_NL:
			decodeTable(d, b[2:], half(b), iq4)
		case Q4_1:
			decodeNibbles(d, b[4:], 0, half(b), half(b[2:]))
		case Q5_0:
			decodeQ50(d, b[6:], binary.LittleEndian.Uint32(b[2:]), half(b))
		case Q5_1:
			decodeNibbles(d, b[8:], binary.LittleEndian.Uint32(b[4:]), half(b), half(b[2:]))
		case Q8_0:
			decodeQ8(d, b)
		case Q2_K:
			decodeQ2K(d, b)
		case Q3_K:
			decodeQ3K(d, b)
		case Q4_K:
			decodeQ45K(d, b, nil, b[16:])
		case Q5_K:
			decodeQ45K(d, b, b[16:48], b[48:])
		case Q6_K:
			decodeQ6K(d, b)
		case IQ4_XS:
			decodeIQ4XS(d, b)
		}
	}
}

// half returns the half-precision number at the start of b.
func half(b []byte) float32 { return float16.Frombits(binary.LittleEndian.Uint16(b)).Float32() }

// centered4 and iq4 are the values that 4 bits stand for.
var (
	centered4 = [16]float32{-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7}
	iq4       = [16]float32{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}
)

// decodeTable decodes 32 elements d·table[q]; the low halves of the bytes come first.
func decodeTable(dst []float32, qs []byte, d float32, table [16]float32) {
	lo, hi := (*[16]float32)(dst), (*[16]float32)(dst[16:])
	for i, q := range (*[16]byte)(qs) {
		lo[i], hi[i] = d*table[q&15], d*table[q>>4]
	}
}

// decodeNibbles decodes 32 elements d·q + m, q of the bits of qs and, above them, of fifth.
func decodeNibbles(dst []float32, qs []byte, fifth uint32, d, m float32) {
	lo, hi := (*[16]float32)(dst), (*[16]float32)(dst[16:])
	for i, q := range (*[16]byte)(qs) {
		l := uint32(q&15) | fifth>>i<<4&16
		h := uint32(q>>4) | fifth>>(i+16)<<4&16
		lo[i] = float32(d*float32(l)) + m
		hi[i] = float32(d*float32(h)) + m
	}
}

// decodeQ50 decodes 32 elements d·(q-16), q as in decodeNibbles.
func decodeQ50(dst []float32, qs []byte, fifth uint32, d float32) {
	lo, hi := (*[16]float32)(dst), (*[16]float32)(dst[16:])
	for i, q := range (*[16]byte)(qs) {
		l := int(q&15) | int(fifth>>i<<4&16)
		h := int(q>>4) | int(fifth>>(i+16)<<4&16)
		lo[i], hi[i] = d*float32(l-16), d*float32(h-16)
	}
}

// decodeQ8 decodes 32 elements d·q.
func decodeQ8(dst []float32, b []byte) {
	d, out := half(b), (*[32]float32)(dst)
	for i, q := range (*[32]byte)(b[2:]) {
		out[i] = d * float32(int8(q))
	}
}

// decodeQ2K decodes 16 groups of 16 elements d·scale·q - dmin·min, scale and min of 4 bits.
// Byte i of each half of q holds elements i, i+32, i+64 and i+96.
func decodeQ2K(dst []float32, b []byte) {
	scales, qs, d, m := (*[16]byte)(b), b[16:80], half(b[80:]), half(b[82:])
	for g, s := range scales {
		scale, least := d*float32(s&15), m*float32(s>>4)
		shift := g % 8 / 2 * 2
		out := (*[16]float32)(dst[g*16:])
		for i, q := range (*[16]byte)(qs[g/8*32+g%2*16:]) {
			out[i] = float32(scale*float32(q>>shift&3)) - least
		}
	}
}

// decodeQ3K decodes 16 groups of 16 elements d·(scale-32)·(q-4), scale of 6 bits. The low two bits
// of q lie as in Q2_K, the third in the mask before them.
func decodeQ3K(dst []float32, b []byte) {
	mask, qs, packed, d := b[:32], b[32:96], b[96:108], half(b[108:])
	for g := range 16 {
		low := packed[g%8] >> (g / 8 * 4) & 15
		high := packed[8+g%4] >> (g / 4 * 2) & 3
		scale := d * float32(int(low|high<<4)-32)
		shift, bit := g%8/2*2, g/2
		out := (*[16]float32)(dst[g*16:])
		masks := (*[16]byte)(mask[g%2*16:])
		for i, q := range (*[16]byte)(qs[g/8*32+g%2*16:]) {
			out[i] = scale * float32(int(q>>shift&3|masks[i]>>bit&1<<2)-4)
		}
	}
}

// decodeQ45K decodes 8 groups of 32 elements d·scale·q - dmin·min, scale and min of 6 bits. The
// bytes of q hold two groups, low halves first; the fifth bits of q, if there are any, are bit g of
// qh for group g.
func decodeQ45K(dst []float32, b, qh, qs []byte) {
	d, m, packed := half(b), half(b[2:]), b[4:16]
	for g := range 8 {
		scale, least := scales45K(packed, g)
		ds, dm, shift := d*float32(scale), m*float32(least), g%2*4
		out, q := (*[32]float32)(dst[g*32:]), (*[32]byte)(qs[g/2*32:])
		if qh == nil {
			for i, q := range q {
				out[i] = float32(ds*float32(q>>shift&15)) - dm
			}
			continue
		}
		for i, h := range (*[32]byte)(qh) {
			out[i] = float32(ds*float32(q[i]>>shift&15|h>>g&1<<4)) - dm
		}
	}
}

// scales45K unpacks scale and minimum of group g.
func scales45K(packed []byte, g int) (scale, least byte) {
	scale, least = packed[g%4], packed[g%4+4]
	if g < 4 {
		return scale & 63, least & 63
	}
	last := packed[g+4]
	return last&15 | scale>>6<<4, last>>4 | least>>6<<4
}

// decodeQ6K decodes two halves of four groups of 32 elements d·scale·(q-32), scale of 8 bits for
// 16 of them. The low four bits of q lie two groups to 64 bytes, the high two four to 32 bytes.
func decodeQ6K(dst []float32, b []byte) {
	low, high, scales, d := b[:128], b[128:192], b[192:208], half(b[208:])
	for g := range 16 {
		scale := d * float32(int8(scales[g]))
		group, at := g%8/2, g%2*16
		ql := (*[16]byte)(low[g/8*64+group%2*32+at:])
		qh := (*[16]byte)(high[g/8*32+at:])
		out := (*[16]float32)(dst[g*16:])
		for i, q := range ql {
			out[i] = scale * float32(int(q>>(group/2*4)&15|qh[i]>>(group*2)&3<<4)-32)
		}
	}
}

// decodeIQ4XS decodes 8 groups of 32 elements d·scale·iq4[q].
func decodeIQ4XS(dst []float32, b []byte) {
	d := half(b)
	for g := range 8 {
		decodeTable(dst[g*32:], b[8+g*16:], d*float32(scaleIQ4XS(b, g)), iq4)
	}
}

// scaleIQ4XS unpacks the scale of group g, 6 bits less 32.
func scaleIQ4XS(b []byte, g int) int {
	high, low := binary.LittleEndian.Uint16(b[2:]), b[4+g/2]>>(g%2*4)&15
	return (int(low) | int(high>>(g*2)&3)<<4) - 32
}
