package vec

import (
	"math"

	"github.com/mminfer/mminfer/kernels"
)

// Exp computes dst = eˣ, within 1.5 units in the last place; it overflows to +Inf above 88.73
// and underflows gradually to 0 at -104.
func Exp(dst, x []float32) {
	same("Exp", len(dst), len(x))
	exp(dst, x)
}

// Log computes dst = ln x, within 1.5 units in the last place; ln 0 = -Inf, ln of a negative
// number is NaN.
func Log(dst, x []float32) {
	same("Log", len(dst), len(x))
	log(dst, x)
}

// Sigmoid computes dst = 1 / (1 + e⁻ˣ), 0 below -88.72.
func Sigmoid(dst, x []float32) {
	same("Sigmoid", len(dst), len(x))
	sigmoid(dst, x)
}

// SiLU computes dst = x / (1 + e⁻ˣ), -0 below -88.72.
func SiLU(dst, x []float32) {
	same("SiLU", len(dst), len(x))
	silu(dst, x)
}

// SiLUMul computes dst = SiLU(gate) · up.
func SiLUMul(dst, gate, up []float32) {
	same("SiLUMul", len(dst), len(gate), len(up))
	siluMul(dst, gate, up)
}

// Softplus computes dst = ln(1 + eˣ), as max(x, 0) + log1p(e^-|x|), which neither overflows nor
// loses the small values.
func Softplus(dst, x []float32) {
	same("Softplus", len(dst), len(x))
	softplus(dst, x)
}

// The constants of exp1 and log1, in the order of the rows of constants.
const (
	expMax   = 0x1.64p6 // 89: beyond it everything overflows
	expMin   = -104     // below it everything is 0
	log2e    = 0x1.715476p0
	ln2Hi    = 0x1.62e4p-1 // 15 bits, so that n·ln2Hi is exact
	ln2Lo    = 0x1.7f7d1cp-20
	exp6     = 1.9875691500e-4
	exp5     = 1.3981999507e-3
	exp4     = 8.3334519073e-3
	exp3     = 4.1665795894e-2
	exp2     = 1.6666665459e-1
	exp1c    = 5.0000001201e-1
	sqrtHalf = 0x3f3504f3 // bits of √½
	log8     = 7.0376836292e-2
	log7     = -1.1514610310e-1
	log6     = 1.1676998740e-1
	log5     = -1.2420140846e-1
	log4     = 1.4249322787e-1
	log3     = -1.6668057665e-1
	log2     = 2.0000714765e-1
	log1c    = -2.4999993993e-1
	log0     = 3.3333331174e-1
)

// exp1 is the exponential of one element.
func exp1(x float32) float32 {
	if expMax < x {
		x = expMax
	}
	if expMin > x {
		x = expMin
	}
	n := float32(math.RoundToEven(float64(float32(x * log2e))))
	r := kernels.FMA(n, -ln2Hi, x)
	r = kernels.FMA(n, -ln2Lo, r)
	p := kernels.FMA(exp6, r, exp5)
	p = kernels.FMA(p, r, exp4)
	p = kernels.FMA(p, r, exp3)
	p = kernels.FMA(p, r, exp2)
	p = kernels.FMA(p, r, exp1c)
	p = kernels.FMA(p, float32(r*r), r)
	p += 1
	if x != x {
		return x
	}
	// 2ⁿ in two factors: n spans more than one exponent holds, and results may be denormal.
	half := int32(n) >> 1
	rest := int32(n) - half
	p *= math.Float32frombits(uint32(half+127) << 23)
	return p * math.Float32frombits(uint32(rest+127)<<23)
}

// log1 is the natural logarithm of one element.
func log1(x float32) float32 {
	y := x
	var e float32
	if y < 0x1p-126 { // denormal: bring it into the normal range
		y *= 0x1p23
		e = -23
	}
	b := int32(math.Float32bits(y))
	k := (b - sqrtHalf) >> 23
	e += float32(k)
	m := math.Float32frombits(uint32(b-k<<23)) - 1 // mantissa in [√½, √2), less one
	p := kernels.FMA(log8, m, log7)
	p = kernels.FMA(p, m, log6)
	p = kernels.FMA(p, m, log5)
	p = kernels.FMA(p, m, log4)
	p = kernels.FMA(p, m, log3)
	p = kernels.FMA(p, m, log2)
	p = kernels.FMA(p, m, log1c)
	p = kernels.FMA(p, m, log0)
	z := float32(m * m)
	p = float32(float32(p*m) * z)
	p = kernels.FMA(e, ln2Lo, p)
	p = kernels.FMA(z, -0.5, p)
	p += m
	p = kernels.FMA(e, ln2Hi, p)
	switch {
	case x == 0:
		return float32(math.Inf(-1))
	case !(x > 0): // negative or NaN
		return float32(math.NaN())
	case x > math.MaxFloat32:
		return x
	}
	return p
}

// softplus1 is the softplus of one element.
func softplus1(x float32) float32 {
	u := exp1(-float32(math.Abs(float64(x))))
	y := 1 + u
	l := log1(y) + float32(u-float32(y-1))/y // log1p(u): the quotient restores what 1 + u dropped
	if !(x <= 0) {                           // NaN stays
		return x + l
	}
	return 0 + l
}

func expGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = exp1(v)
	}
}

func logGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = log1(v)
	}
}

func sigmoidGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = 1 / (1 + exp1(-v))
	}
}

func siluGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = v / (1 + exp1(-v))
	}
}

func siluMulGeneric(dst, gate, up []float32) {
	for i, v := range gate {
		dst[i] = float32(v/(1+exp1(-v))) * up[i]
	}
}

func softplusGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = softplus1(v)
	}
}
