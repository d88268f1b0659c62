package quant

import (
	"math"

	"github.com/x448/float16"
)

// largest is the largest finite number in half precision.
const largest = 65504

// Fit returns the codes of at most 32 weights, and scale and minimum, 0 without one, that keep
// Σ importance·(weight − value)² small; without importance, nil, every error counts alike. Some
// scales around the one that the largest weight suggests are tried with the nearest codes, the best
// is improved by least squares. A block with a NaN has the scale NaN.
func (c Code) Fit(code *[Block]byte, w, importance []float32) (scale, least float16.Float16) {
	f := fit{Code: c}
	copy(f.w[:], w)
	var lo, hi, sum float32
	for i, v := range w {
		if lo, hi = min(lo, v), max(hi, v); i == 0 {
			lo, hi = v, v
		}
		f.s[i] = 1
		if importance != nil {
			f.s[i] = importance[i]
			sum += f.s[i]
		}
	}
	if importance != nil && !(sum > 0) { // then all are alike
		for i := range w {
			f.s[i] = 1
		}
	}
	for i, s := range f.s {
		f.sw[i] = s * f.w[i]
	}
	switch {
	case lo != lo:
		return float16.NaN(), 0
	case c == Q4L:
		return f.affine(code, lo, hi)
	}
	return f.linear(code, lo, hi), 0
}

// fit is the work on one block: weights, their importance, and the product of both, 0 beyond the end.
type fit struct {
	Code
	w, s, sw [Block]float32
}

// round rounds to an integer, ties to even, |v| < 2²².
func round(v float32) int32 { return int32(math.Float32bits(v+0x1.8p23)) - 0x4b400000 }

// reach4 is the largest number of which levels4 has the nearest level.
const reach4 = 160

// nearest4 and levels4 are the code and the level of [Q4] nearest to integers from -reach4.
var nearest4, levels4 = func() (codes [2*reach4 + 1]byte, levels [2*reach4 + 1]float32) {
	for i := range codes {
		v := int32(i - reach4)
		for code, l := range grid4 {
			if best := int32(grid4[codes[i]]); max(int32(l)-v, v-int32(l)) < max(best-v, v-best) {
				codes[i] = byte(code)
			}
		}
		levels[i] = float32(grid4[codes[i]])
	}
	return codes, levels
}()

const (
	// tries are the scales tried on each side of a block's first.
	tries    = 6
	allTries = 2*tries + 1
)

// numerators are the levels that the largest weight, or for Q4L the range of weights, gets in each of
// the tries.
var numerators = func() (n [len(codes)][allTries]float32) {
	steps := [...]float32{Q4: 2.5, Q4L: 0.15, Q5: 0.3, Q6: 0.4} // in units of levels
	for c, step := range steps {
		middle := float32(15)
		if Code(c) != Q4L {
			middle = float32(Code(c).Level(0))
		}
		for t := range n[c] {
			n[c][t] = middle + float32(float32(t-tries)*step)
		}
	}
	return n
}()

// linear fits levels that a scale multiplies. The largest weight first gets the outermost level.
func (f *fit) linear(code *[Block]byte, lo, hi float32) float16.Float16 {
	top := hi
	if -lo > hi {
		top = lo
	}
	scale := top / float32(f.Level(0))
	// Beyond these the scale has no half-precision number to choose from.
	if max(top, -top) > 0x1p-30 && max(top, -top) < 0x1p40 {
		var best float32
		for _, level := range numerators[f.Code] {
			xq, qq := f.sums(level / top)
			// The error of the best scale for these codes, xq/qq, is Σ s·w² - xq²/qq.
			if gain := float32(xq*xq) / qq; gain > best {
				best, scale = gain, xq/qq
			}
		}
	}
	half := float16.Fromfloat32(max(-largest, min(largest, scale)))
	inverse := float32(0)
	if v := half.Float32(); v != 0 {
		inverse = 1 / v
	}
	for i, v := range f.w {
		v = max(-reach4, min(reach4, v*inverse))
		if f.Code == Q4 {
			code[i] = nearest4[round(v)+reach4]
			continue
		}
		offset := codes[f.Code].offset
		code[i] = byte(max(-offset, min(offset-1, round(v))) + offset)
	}
	return half
}

// sums returns Σ s·w·q and Σ s·q² for the levels q that are nearest to w·inverse.
func (f *fit) sums(inverse float32) (float32, float32) {
	var xq, qq [4]float32
	offset := codes[f.Code].offset
	for i := 0; i < Block; i += 4 {
		for j := range 4 {
			r := round(f.w[i+j] * inverse)
			var q float32
			if offset == 0 {
				q = levels4[r+reach4]
			} else {
				q = float32(max(-offset, min(offset-1, r)))
			}
			xq[j] += float32(f.sw[i+j] * q)
			qq[j] += float32(float32(f.s[i+j]*q) * q)
		}
	}
	return (xq[0] + xq[2]) + (xq[1] + xq[3]), (qq[0] + qq[2]) + (qq[1] + qq[3])
}

// affine fits levels that a scale multiplies and a minimum is added to.
func (f *fit) affine(code *[Block]byte, lo, hi float32) (scale, least float16.Float16) {
	d, m := float32(0), lo
	if width := hi - lo; width > 0x1p-30 && width < 0x1p40 {
		d = width / 15
		var n, x, best float32
		for i, s := range f.s {
			n, x = n+s, x+f.sw[i]
		}
		for _, levels := range numerators[Q4L] {
			q, xq, qq := f.affineSums(lo, levels/width)
			det := float32(n*qq) - float32(q*q)
			if !(det > 0) {
				continue
			}
			d2 := (float32(n*xq) - float32(x*q)) / det
			m2 := (float32(qq*x) - float32(q*xq)) / det
			// The error of both is Σ s·w² - d·xq - m·x.
			if gain := float32(d2*xq) + float32(m2*x); gain > best {
				best, d, m = gain, d2, m2
			}
		}
	}
	scale = float16.Fromfloat32(max(-largest, min(largest, d)))
	least = float16.Fromfloat32(max(-largest, min(largest, m)))
	inverse, from := float32(0), least.Float32()
	if v := scale.Float32(); v != 0 {
		inverse = 1 / v
	}
	for i, v := range f.w {
		code[i] = byte(round(max(0, min(15, (max(-0x1p60, min(0x1p60, v))-from)*inverse))))
	}
	return scale, least
}

// affineSums returns Σ s·q, Σ s·w·q and Σ s·q² for the codes q nearest to (w - from)·inverse.
func (f *fit) affineSums(from, inverse float32) (float32, float32, float32) {
	var sq, xq, qq [4]float32
	for i := 0; i < Block; i += 4 {
		for j := range 4 {
			q := float32(max(0, min(15, round((f.w[i+j]-from)*inverse))))
			s := f.s[i+j] * q
			sq[j] += s
			xq[j] += float32(f.sw[i+j] * q)
			qq[j] += float32(s * q)
		}
	}
	return (sq[0] + sq[2]) + (sq[1] + sq[3]), (xq[0] + xq[2]) + (xq[1] + xq[3]), (qq[0] + qq[2]) + (qq[1] + qq[3])
}
