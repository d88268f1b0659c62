package kerneltest

import (
	"math"
	"testing"
)

// MaxLength is the longest slice of the exhaustive length tests.
const MaxLength = 300

// Lengths calls f for every length from 0 to [MaxLength]. With -short, for emulated machines, it
// leaves out most of those beyond four of the longest vectors and their rests.
func Lengths(f func(n int)) {
	for n := range MaxLength + 1 {
		if !testing.Short() || n <= 66 || n%13 == 0 || n >= 255 && n <= 258 || n == MaxLength {
			f(n)
		}
	}
}

// Normal returns n values of a normal distribution with standard deviation sd.
func (h *H) Normal(n int, sd float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(h.Rand.NormFloat64() * sd)
	}
	return x
}

// Uniform returns n values between lo and hi.
func (h *H) Uniform(n int, lo, hi float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(lo + h.Rand.Float64()*(hi-lo))
	}
	return x
}

// Specials are the values every elementwise kernel must survive.
var Specials = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0.5, -0.5, 88, -88, 89, -89, 104, -104, 200, -200, 1e-20, -1e-20,
	0x1p-126, -0x1p-126, 0x1p-149, -0x1p-149, 0x1p-130, math.MaxFloat32, -math.MaxFloat32, 1e30, -1e30,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), 0x1.fffffep-1, 0x1.000002p0, 2, 10,
}

// Patterns returns n values whose bit patterns are uniformly random: denormals, infinities and
// NaN among them.
func (h *H) Patterns(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = math.Float32frombits(h.Rand.Uint32())
	}
	return x
}
