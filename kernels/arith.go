package kernels

import "math"

// FMA returns a·b + c rounded once to float32, as the FMA instructions do. The product of two
// float32 is exact in float64; the sum is rounded to odd where the second rounding could
// otherwise see a tie that is none.
func FMA(a, b, c float32) float32 {
	p, z := float64(a)*float64(b), float64(c)
	s := p + z
	bits := math.Float64bits(s)
	// A normal float32 result can only be double-rounded when the float64 sum lies exactly
	// half-way between two float32; below the normal range the half-way bit moves, so look closer.
	if bits&0x1fffffff != 0x10000000 && (s >= 0x1p-126 || s <= -0x1p-126 || s == 0) {
		return float32(s)
	}
	return fmaOdd(p, z, s)
}

// fmaOdd finishes FMA where the sum s = p + z may need rounding to odd.
func fmaOdd(p, z, s float64) float32 {
	t := s - p
	e := (p - (s - t)) + (z - t) // exact: p + z = s + e
	if e == 0 || e != e {
		return float32(s)
	}
	bits := math.Float64bits(s)
	if bits&1 == 0 {
		if (e > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
	}
	return float32(math.Float64frombits(bits))
}

// Sqrt returns the correctly rounded square root.
func Sqrt(x float32) float32 { return float32(math.Sqrt(float64(x))) }

// Tree16 sums sixteen partial sums in the one order that all reductions use:
// lane i takes in lane i+8, then i+4, i+2 and i+1.
func Tree16(p *[16]float32) float32 {
	for n := 8; n > 0; n /= 2 {
		for i := range n {
			p[i] += p[i+n]
		}
	}
	return p[0]
}
