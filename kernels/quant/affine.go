package quant

import "fmt"

// Group is the number of elements that share a scale and a minimum in [Affine].
const Group = 16

// Affine decodes codes of 8 bits, signed: dst[i] = scale[i/16]·q[i] + least[i/16], rounded twice. A
// minimum of -0 adds nothing. It panics unless dst and q have 16 elements for each scale and minimum.
func Affine(dst []float32, q []byte, scale, least []float32) {
	if n := len(dst); n%Group != 0 || len(q) != n || len(scale) != n/Group || len(least) != n/Group {
		panic(fmt.Sprintf("quant.Affine: len(dst)=%d, %d codes, %d scales and %d minima", n, len(q), len(scale), len(least)))
	}
	if len(dst) > 0 {
		affine(dst, q, scale, least)
	}
}

func affineGeneric(dst []float32, q []byte, scale, least []float32) {
	for g, s := range scale {
		m, out := least[g], (*[Group]float32)(dst[g*Group:])
		for i, q := range (*[Group]byte)(q[g*Group:]) {
			out[i] = float32(s*float32(int8(q))) + m
		}
	}
}

// AffineColumns does the same with 16 rows whose codes lie four columns of a row side by side, as in a
// panel: q [k/4, 16, 4], scale and least [k/16, 16], dst [k, 16]. It panics unless the lengths are such.
func AffineColumns(dst []float32, q []byte, scale, least []float32) {
	if n := len(dst); n%(Group*Rows) != 0 || len(q) != n || len(scale) != n/Group || len(least) != n/Group {
		panic(fmt.Sprintf("quant.AffineColumns: len(dst)=%d, %d codes, %d scales and %d minima", n, len(q), len(scale), len(least)))
	}
	if len(dst) > 0 {
		affineColumns(dst, q, scale, least)
	}
}

func affineColumnsGeneric(dst []float32, q []byte, scale, least []float32) {
	for i := range len(dst) / Rows {
		g := i / Group * Rows
		s, m := (*[Rows]float32)(scale[g:]), (*[Rows]float32)(least[g:])
		out, q := (*[Rows]float32)(dst[i*Rows:]), (*[4 * Rows]byte)(q[i/4*4*Rows:])
		for r := range out {
			out[r] = float32(s[r]*float32(int8(q[4*r+i%4]))) + m[r]
		}
	}
}
