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
