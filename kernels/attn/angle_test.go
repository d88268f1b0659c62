package attn

import (
	"hash/fnv"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// Sines reduced in float64 lose 2⁻⁵³ to the reduction and a few units of 2⁻⁵⁴ to the polynomial;
// the reference's own error is below 2⁻⁵².
const angleBound = 0x1p-50

func TestSinCos(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	check := func(x float64) {
		t.Helper()
		s, c := sincos(x)
		ws, wc := math.Sincos(x)
		if !(math.Abs(s-ws) <= angleBound) || !(math.Abs(c-wc) <= angleBound) {
			t.Fatalf("sincos(%g) = %g, %g, want %g, %g", x, s, c, ws, wc)
		}
	}
	for range 300_000 {
		check(r.Float64() * math.Exp2(24*r.Float64()-1) * 0.79)
		check(math.Round(r.Float64()*8e6) * (math.Pi / 4)) // near zeros and octants
		check(math.Floor(r.Float64() * 1e7))
	}
	check(0)
	check(-1)

	inv := []float64{1, 0.1, 1e-4}
	sin, cos := make([]float32, 3), make([]float32, 3)
	SinCos(sin, cos, 70_000, inv)
	for i, f := range inv {
		s, c := math.Sincos(70_000 * f)
		if !(math.Abs(float64(sin[i])-s) <= 0x1p-25+angleBound) || !(math.Abs(float64(cos[i])-c) <= 0x1p-25+angleBound) {
			t.Errorf("SinCos(70000·%g) = %g, %g, want %g, %g", f, sin[i], cos[i], s, c)
		}
	}
}

// TestFrequencies raises every frequency to the power r, which must give theta^(-2i): that
// multiplies a relative error by r.
func TestFrequencies(t *testing.T) {
	for _, theta := range []float64{1.5, 10_000, 150_000, 500_000, 1e6, 5e6, 1e8} {
		for _, r := range []int{2, 12, 32, 64, 80, 96, 128, 256} {
			inv := make([]float64, r/2)
			Frequencies(inv, theta, r)
			for i, f := range inv {
				p := new(big.Float).Mul(power(f, r), power(theta, 2*i))
				d, _ := p.Sub(p, big.NewFloat(1)).Float64()
				if !(math.Abs(d) <= 1e-14*float64(r)) {
					t.Errorf("theta=%g r=%d: inv[%d] = %g is off by %g", theta, r, i, f, d/float64(r))
				}
			}
		}
	}
}

func power(x float64, n int) *big.Float {
	p := new(big.Float).SetPrec(400).SetInt64(1)
	for b := new(big.Float).SetPrec(400).SetFloat64(x); n > 0; n /= 2 {
		if n%2 == 1 {
			p.Mul(p, b)
		}
		b.Mul(b, b)
	}
	return p
}

// TestAnglesHaveTheSameBits compares a digest of many results with the one that every
// architecture and compiler setting must give.
func TestAnglesHaveTheSameBits(t *testing.T) {
	const want uint64 = 0xc66f6d133e622323
	h := fnv.New64a()
	add := func(x float64) {
		b := math.Float64bits(x)
		for i := range 8 {
			h.Write([]byte{byte(b >> (8 * i))})
		}
	}
	inv := make([]float64, 64)
	for _, theta := range []float64{10_000, 500_000, 1e6} {
		Frequencies(inv, theta, 128)
		for i, f := range inv {
			add(f)
			for pos := 1; pos < 1<<20; pos = 3*pos + i {
				s, c := sincos(float64(float64(pos) * f))
				add(s)
				add(c)
			}
		}
	}
	if got := h.Sum64(); got != want {
		t.Errorf("digest %#x, want %#x", got, want)
	}
}
