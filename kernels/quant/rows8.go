package quant

import (
	"fmt"
	"math"
)

// Rows8 holds rows of activations in 8 bits. Each block of 32 elements has a scale; the last
// block of a row is padded with zeros.
type Rows8 struct {
	Tokens, K int
	Q         []int8    // [Tokens, Stride(K)]
	Wide      []int16   // the same in 16 bits, each four in the order 0 2 1 3: what AVX2 multiplies
	Scale     []float32 // [Tokens, Blocks(K)]
	Sum       []int32   // [Tokens, Blocks(K)], -128 times the sum of the block
}

// Stride returns the elements from one row of Q and Wide to the next: whole cache lines, in an odd
// number, so that the rows that a product reads side by side do not compete for the same ones.
func Stride(k int) int { return ((Blocks(k)*Block+63)/64 | 1) * 64 }

// Rows8Size returns the lengths of a [Rows8]'s slices: of Q and Wide, and of Scale and Sum.
func Rows8Size(tokens, k int) (elements, scales int) {
	return tokens * Stride(k), tokens * Blocks(k)
}

// Check panics, in the name of an operation, if a slice is too short for tokens rows.
func (x Rows8) Check(name string, tokens int) {
	e, s := Rows8Size(tokens, x.K)
	if x.Tokens < tokens || len(x.Q) < e || len(x.Wide) < e || len(x.Scale) < s || len(x.Sum) < s {
		panic(fmt.Sprintf("%s: activations [%d, %d] hold %d, %d elements and %d, %d scales, want %d rows",
			name, x.Tokens, x.K, len(x.Q), len(x.Wide), len(x.Scale), len(x.Sum), tokens))
	}
}

// Quantize fills x from float32 rows, stride elements apart: for each block scale = max|x|/127
// and q = x·(127/max|x|) to nearest, ties to even. A NaN makes its block's scale NaN. It panics
// if a slice is too short.
func (x Rows8) Quantize(rows []float32, stride int) {
	x.Check("quant.Quantize", x.Tokens)
	if stride < x.K || x.Tokens > 0 && len(rows) < (x.Tokens-1)*stride+x.K {
		panic(fmt.Sprintf("quant.Quantize: len(rows)=%d for %d rows of %d, stride %d", len(rows), x.Tokens, x.K, stride))
	}
	for t := range x.Tokens {
		quantizeRow(x, t, rows[t*stride:t*stride+x.K])
	}
}

// quantizeRowGeneric quantises row t from a given block on.
func quantizeRowGeneric(x Rows8, t int, row []float32, from int) {
	nb := Blocks(x.K)
	for b := from; b < nb; b++ {
		block := row[b*Block : min((b+1)*Block, x.K)]
		most := maxAbs(block)
		var inv float32
		if most != 0 {
			inv = 127 / most
		}
		at := t*Stride(x.K) + b*Block
		q, wide := x.Q[at:at+Block], x.Wide[at:at+Block]
		clear(q)
		clear(wide)
		var sum int32
		for i, v := range block {
			q[i] = round8(v * inv)
			sum += int32(q[i])
			wide[i&^3|i&1<<1|i>>1&1] = int16(q[i])
		}
		x.Scale[t*nb+b] = most / 127
		x.Sum[t*nb+b] = -128 * sum
	}
}

// round8 rounds to nearest, ties to even; what does not fit in 32 bits, NaN included, gives -128
// as the processors' conversion does.
func round8(v float32) int8 {
	if !(v > -0x1p31 && v < 0x1p31) {
		return -128
	}
	return int8(max(-128, min(127, math.RoundToEven(float64(v)))))
}
