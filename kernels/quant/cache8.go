package quant

import (
	"fmt"
	"math"
)

// Cache8 rounds at most 32 numbers x [n] to 8 bits, q [n], and returns their scale as the upper half of
// a float32: max|x|/127 rounded to nearest, ties to even, q = x·(1/scale) to nearest, ties to even. The scale has the
// range of float32, so that the largest |q| is 127 and a number that was rounded, q·scale, is exact and rounds to itself.
// A block whose scale would be less than 2^-126 is zero; one with a NaN or an infinity has a NaN for its scale. It
// panics if the lengths differ or are too large.
func Cache8(q []int8, x []float32) (scale uint16) {
	if len(q) != len(x) || len(x) > Block {
		panic(fmt.Sprintf("quant.Cache8: %d codes of %d numbers, want the same and at most %d", len(q), len(x), Block))
	}
	top := maxAbs(x)
	if !(top <= math.MaxFloat32) {
		clear(q)
		return 0x7fc0
	}
	bits := math.Float32bits(top / 127)
	scale = uint16((bits + 0x7fff + bits>>16&1) >> 16)
	if scale < 1<<7 { // less than a normal number
		clear(q)
		return 0
	}
	inv := 1 / cacheScale(scale)
	for i, v := range x {
		q[i] = int8(round(v * inv))
	}
	return scale
}

// cacheScale is a scale as a number.
func cacheScale(scale uint16) float32 { return math.Float32frombits(uint32(scale) << 16) }

// CacheRows widens columns of a panel whose 16 rows are vectors of a cache: dst = q·scale exactly, dst and q
// [n, 16], scale [Blocks(n), 16]. It panics if a slice is too short.
func CacheRows(dst []float32, q []int8, scale []uint16, n int) {
	checkCache("CacheRows", len(dst), len(q), len(scale), n, Blocks(n)*Rows)
	cacheRows(dst, q, scale, n)
}

// CacheColumns widens columns of a panel whose columns are vectors of a cache: dst = q·scale exactly, dst and q
// [n, 16], scale [n]. It panics if a slice is too short.
func CacheColumns(dst []float32, q []int8, scale []uint16, n int) {
	checkCache("CacheColumns", len(dst), len(q), len(scale), n, n)
	cacheColumns(dst, q, scale, n)
}

func checkCache(name string, dst, q, scale, n, scales int) {
	if n < 0 || dst < n*Rows || q < n*Rows || scale < scales {
		panic(fmt.Sprintf("quant.%s: %d columns need %d numbers and %d scales, got %d, %d and %d", name, n, n*Rows, scales, dst, q, scale))
	}
}

func cacheRowsGeneric(dst []float32, q []int8, scale []uint16, n int) {
	for i, c := range q[:n*Rows] {
		dst[i] = float32(c) * cacheScale(scale[i/Rows/Block*Rows+i%Rows])
	}
}

func cacheColumnsGeneric(dst []float32, q []int8, scale []uint16, n int) {
	for i, c := range q[:n*Rows] {
		dst[i] = float32(c) * cacheScale(scale[i/Rows])
	}
}
