package diffusion

import (
	"math"
	"math/bits"
)

// A Counter draws normal numbers that depend on a seed and their place alone, and that have the same bits
// on every machine: number i of stream s is the quantile of 32 random bits, word i mod 4 of Philox4x32-10
// (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") at counter (i/4, s) with the seed as
// key. Draws of any lengths follow each other without a gap.
type Counter struct {
	seed, stream, next uint64
}

// NewCounter returns the generator of a seed's stream, at its first number.
func NewCounter(seed, stream uint64) *Counter { return &Counter{seed: seed, stream: stream} }

// NormalAt fills x with the next numbers of a counter.
func NormalAt[F Float](c *Counter, x []F) {
	var block [4]uint32
	for i := range x {
		if word := c.next % 4; i == 0 || word == 0 {
			block = philox(c.next/4, c.stream, c.seed)
		}
		x[i] = F(float32(quantile(block[c.next%4])))
		c.next++
	}
}

// philox returns the block of a counter of 128 bits.
func philox(low, high, key uint64) [4]uint32 {
	x := [4]uint32{uint32(low), uint32(low >> 32), uint32(high), uint32(high >> 32)}
	k0, k1 := uint32(key), uint32(key>>32)
	for range 10 {
		h0, l0 := bits.Mul32(0xd2511f53, x[0])
		h1, l1 := bits.Mul32(0xcd9e8d57, x[2])
		x = [4]uint32{h1 ^ x[1] ^ k0, l1, h0 ^ x[3] ^ k1, l0}
		k0 += 0x9e3779b9
		k1 += 0xbb67ae85
	}
	return x
}

// The rational approximations of Wichura 1988, algorithm AS 241 (PPND16), numerators and denominators with
// the highest power first: near the centre, in the tails, far out.
var (
	quantileCentre = [2][8]float64{
		{2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
			13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.387132872796366608},
		{5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867,
			5394.1960214247511077, 687.1870074920579083, 42.313330701600911252, 1},
	}
	quantileTail = [2][8]float64{
		{7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
			3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734},
		{1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
			0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1},
	}
	quantileFar = [2][8]float64{
		{2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
			0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772},
		{2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
			0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1},
	}
)

// quantile is the normal number below which lies a share of (k+½)/2³².
func quantile(k uint32) float64 {
	p := (float64(k) + 0.5) / (1 << 32)
	q := p - 0.5 // exact
	if math.Abs(q) <= 0.425 {
		return q * rational(quantileCentre, 0.180625-float64(q*q))
	}
	r := math.Sqrt(-naturalLog(0.5 - math.Abs(q)))
	z := 0.0
	if r <= 5 {
		z = rational(quantileTail, r-1.6)
	} else {
		z = rational(quantileFar, r-5)
	}
	return math.Copysign(z, q)
}

// rational evaluates a numerator and a denominator. Every product is rounded, so that no compiler fuses it.
func rational(c [2][8]float64, x float64) float64 {
	a, b := c[0][0], c[1][0]
	for i := 1; i < 8; i++ {
		a = float64(a*x) + c[0][i]
		b = float64(b*x) + c[1][i]
	}
	return a / b
}

// naturalLog is ln x of a positive normal x, within 4 units in the last place: with x = m·2ᵉ and
// s = (m-1)/(m+1), ln m = 2·(s + s³/3 + s⁵/5 + …), |s| below 0.172.
func naturalLog(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	s := (m - 1) / (m + 1)
	s2 := float64(s * s)
	sum := 0.0
	for n := 23; n >= 3; n -= 2 {
		sum = float64(sum*s2) + 1/float64(n)
	}
	return float64(float64(e)*math.Ln2) + float64(2*s) + float64(2*float64(s*float64(s2*sum)))
}
