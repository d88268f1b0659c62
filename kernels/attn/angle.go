package attn

import (
	"fmt"
	"math"
)

// SinCos computes the sine and cosine of every angle pos·inv[i], the product rounded to float64,
// and rounds them once to float32. In float64 they are within 2⁻⁵⁰ up to an angle of 1.3·10⁷;
// beyond it the error grows with the angle. It panics if the lengths disagree.
//
// The reduction is Cody and Waite's, the polynomials are those of Cephes sin.c (S. Moshier,
// netlib cephes/cmath).
func SinCos(sin, cos []float32, pos float64, inv []float64) {
	if len(sin) != len(inv) || len(cos) != len(inv) {
		panic(fmt.Sprintf("attn.SinCos: len(sin)=%d, len(cos)=%d, len(inv)=%d", len(sin), len(cos), len(inv)))
	}
	for i, f := range inv {
		s, c := sincos(float64(pos * f))
		sin[i], cos[i] = float32(s), float32(c)
	}
}

// Frequencies computes the rotary frequencies inv[i] = theta^(-2i/r) of the len(inv) = r/2 pairs,
// each within 10⁻¹⁴ of its value for theta up to 10⁸. It panics if r is not 2·len(inv), or theta
// not positive and finite.
func Frequencies(inv []float64, theta float64, r int) {
	if r != 2*len(inv) || !(theta > 0 && theta <= math.MaxFloat64) {
		panic(fmt.Sprintf("attn.Frequencies: len(inv)=%d, r=%d, theta=%g", len(inv), r, theta))
	}
	l := ln(theta)
	for i := range inv {
		inv[i] = exp(float64(float64(-2*i) / float64(r) * l))
	}
}

// π/2 and ln 2 in parts, the first ones short enough that a whole number times them is exact:
// below 2²³ with 30 bits of π/2, below 2²⁰ with 33 of ln 2.
const (
	halfPi1 = 0x1.921fb54p0
	halfPi2 = 0x1.10b46118p-30
	halfPi3 = 0x1.313198a2e037p-61
	ln2Hi   = 0x1.62e42feep-1
	ln2Lo   = 0x1.a39ef35793c76p-33
)

// The coefficients of (sin x - x)/x³ and (cos x - 1 + x²/2)/x⁴ in x², the highest first.
var (
	sinCoef = [...]float64{
		1.58962301576546568060e-10, -2.50507477628578072866e-8, 2.75573136213857245213e-6,
		-1.98412698295895385996e-4, 8.33333333332211858878e-3, -1.66666666666666307295e-1,
	}
	cosCoef = [...]float64{
		-1.13585365213876817300e-11, 2.08757008419747316778e-9, -2.75573141792967388112e-7,
		2.48015872888517045348e-5, -1.38888888888730564116e-3, 4.16666666666665929218e-2,
	}
)

// sincos returns the sine and the cosine of x.
func sincos(x float64) (sin, cos float64) {
	n := math.RoundToEven(float64(x * (2 / math.Pi)))
	r := x - float64(n*halfPi1) - float64(n*halfPi2) - float64(n*halfPi3)
	z := float64(r * r)
	var p, q float64
	for i, c := range sinCoef {
		p = float64(p*z) + c
		q = float64(q*z) + cosCoef[i]
	}
	s := r + float64(float64(r*z)*p)
	c := 1 - float64(0.5*z) + float64(float64(z*z)*q)
	switch int64(n) & 3 {
	case 1:
		return c, -s
	case 2:
		return -s, -c
	case 3:
		return -c, s
	}
	return s, c
}

// ln returns the natural logarithm of x = 2ᵏ·m > 0, with ln m = 2·artanh((m-1)/(m+1)).
func ln(x float64) float64 {
	m, k := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, k = 2*m, k-1
	}
	s := (m - 1) / (m + 1)
	z := float64(s * s) // at most 0.03
	var p float64
	for j := 23; j > 0; j -= 2 {
		p = float64(p*z) + 1/float64(j)
	}
	return float64(float64(k)*ln2Hi) + (float64(float64(k)*ln2Lo) + float64(2*s*p))
}

// exp returns eˣ by its Taylor series around a multiple of ln 2.
func exp(x float64) float64 {
	n := math.RoundToEven(float64(x * math.Log2E))
	r := x - float64(n*ln2Hi) - float64(n*ln2Lo) // at most 0.35
	p := 1.0
	for j := 14; j > 0; j-- {
		p = 1 + float64(p*r)/float64(j)
	}
	return math.Ldexp(p, int(n))
}
