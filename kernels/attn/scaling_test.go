package attn

import (
	"math"
	"testing"
)

// frequencies returns theta^(-2i/r).
func frequencies(theta float64, r int) []float64 {
	inv := make([]float64, r/2)
	Frequencies(inv, theta, r)
	return inv
}

// closeTo tells whether two numbers agree but for some roundings of float64.
func closeTo(a, b float64) bool { return math.Abs(a-b) <= 1e-13*math.Abs(b) }

func TestInterpolate(t *testing.T) {
	inv, was := frequencies(1e5, 16), frequencies(1e5, 16)
	Interpolate(inv, 2.5)
	for i := range inv {
		if inv[i] != was[i]/2.5 {
			t.Errorf("%d: %v", i, inv[i])
		}
	}
}

// TestLlama3 states the rule by wavelengths, as the reference does.
func TestLlama3(t *testing.T) {
	const factor, low, high, original = 8., 1., 4., 8192.
	inv, was := frequencies(500_000, 128), frequencies(500_000, 128)
	Llama3(inv, factor, low, high, original)
	var kept, divided, blended int
	for i, f := range was {
		wavelength, want := 2*math.Pi/f, 0.
		switch {
		case wavelength < original/high:
			want = f
			kept++
		case wavelength > original/low:
			want = f / factor
			divided++
		default:
			s := (original/wavelength - low) / (high - low)
			want = (1-s)*f/factor + s*f
			blended++
		}
		if !closeTo(inv[i], want) {
			t.Errorf("%d: %v, want %v", i, inv[i], want)
		}
	}
	if kept == 0 || divided == 0 || blended == 0 {
		t.Errorf("%d kept, %d divided, %d blended: expected some of each", kept, divided, blended)
	}
}

func TestYarn(t *testing.T) {
	for _, c := range []struct {
		y     Yarn
		theta float64
		r     int
	}{
		{Yarn{Factor: 4, Original: 32768, Fast: 32, Slow: 1}, 1e6, 128},
		{Yarn{Factor: 4, Original: 64, Fast: 32, Slow: 1}, 1e6, 14},
		{Yarn{Factor: 40, Original: 4096, Fast: 32, Slow: 1, Exact: true}, 10_000, 64},
		{Yarn{Factor: 2, Original: 8, Fast: 32, Slow: 1}, 1e6, 16}, // both bounds in the first pair
	} {
		inv, was := frequencies(c.theta, c.r), frequencies(c.theta, c.r)
		c.y.Scale(inv, c.theta)
		at := func(turns float64) float64 {
			return float64(c.r) * math.Log(c.y.Original/(2*math.Pi*turns)) / (2 * math.Log(c.theta))
		}
		lo, hi := at(c.y.Fast), at(c.y.Slow)
		if !c.y.Exact {
			lo, hi = math.Floor(lo), math.Ceil(hi)
		}
		lo, hi = math.Max(lo, 0), math.Min(hi, float64(c.r-1))
		if lo == hi {
			hi += 0.001
		}
		for i, f := range was {
			ramp := math.Min(math.Max((float64(i)-lo)/(hi-lo), 0), 1)
			if want := f/c.y.Factor*ramp + f*(1-ramp); !closeTo(inv[i], want) {
				t.Errorf("%+v: %d: %v, want %v", c.y, i, inv[i], want)
			}
		}
	}
	if got, want := YarnAttention(4, 1), 0.1*math.Log(4)+1; !closeTo(got, want) {
		t.Errorf("attention factor %v, want %v", got, want)
	}
	if got := YarnAttention(0.5, 1); got != 1 {
		t.Errorf("attention factor %v of a shorter text, want 1", got)
	}
}
