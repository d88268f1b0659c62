package kernels

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// exactFMA rounds a·b + c once, by exact rational arithmetic.
func exactFMA(a, b, c float32) float32 {
	r := new(big.Rat).Mul(rat(a), rat(b))
	r.Add(r, rat(c))
	f, _ := r.Float32()
	return f
}

func rat(x float32) *big.Rat { return new(big.Rat).SetFloat64(float64(x)) }

func TestFMA(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	check := func(a, b, c float32) {
		t.Helper()
		if got, want := FMA(a, b, c), exactFMA(a, b, c); got != want {
			t.Fatalf("FMA(%b, %b, %b) = %b, want %b", a, b, c, got, want)
		}
	}
	for range 200_000 {
		// Few mantissa bits make ties common, a wide spread of exponents makes sticky bits common.
		f := func() float32 {
			m := float64(r.IntN(1<<13)-1<<12) * math.Ldexp(1, -r.IntN(13))
			return float32(math.Ldexp(m, r.IntN(60)-30))
		}
		check(f(), f(), f())
		// Results below the normal range.
		g := func(e int) float32 { return float32(math.Ldexp(float64(r.IntN(1<<24)-1<<23), e-23)) }
		check(g(-60-r.IntN(20)), g(-60-r.IntN(20)), g(-126-r.IntN(24)))
	}
	// The double rounding that plain float64 arithmetic gets wrong.
	check(1+0x1p-12, 1+0x1p-12, 0x1p-80)
	check(0x1.000002p0, 0x1.8p-24, 1)
}

func TestTree16(t *testing.T) {
	var p [16]float32
	for i := range p {
		p[i] = float32(int(1) << i)
	}
	if got := Tree16(&p); got != 65535 {
		t.Fatalf("Tree16 = %v, want 65535", got)
	}
}
