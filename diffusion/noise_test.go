package diffusion

import (
	"fmt"
	"hash/fnv"
	"math"
	"testing"
)

// TestPhilox checks the block function against the known answers of Random123.
func TestPhilox(t *testing.T) {
	const ones = math.MaxUint64
	for _, c := range []struct {
		low, high, key uint64
		want           string
	}{
		{0, 0, 0, "[6627e8d5 e169c58d bc57ac4c 9b00dbd8]"},
		{ones, ones, ones, "[408f276d 41c83b0e a20bc7c6 6d5451fd]"},
		{0x85a308d3243f6a88, 0x0370734413198a2e, 0x299f31d0a4093822, "[d16cfe09 94fdcceb 5001e420 24126ea1]"},
	} {
		if got := fmt.Sprintf("%08x", philox(c.low, c.high, c.key)); got != c.want {
			t.Errorf("philox(%x, %x, %x) = %s, want %s", c.low, c.high, c.key, got, c.want)
		}
	}
}

// TestQuantile holds the normal quantile against the standard library's inverse error function, whose
// algorithm has 16 digits.
func TestQuantile(t *testing.T) {
	check := func(k uint32) {
		p := (float64(k) + 0.5) / (1 << 32)
		want := -math.Sqrt2 * math.Erfinv(1-2*p)
		if p < 0.5 {
			want = math.Sqrt2 * math.Erfinv(2*p-1)
		}
		// 2p-1 is rounded near ±1 nowhere: p has 33 bits.
		if got := quantile(k); !(math.Abs(got-want) <= 1e-14*math.Max(1, math.Abs(want))) {
			t.Fatalf("quantile(%d) = %.17g, want %.17g", k, got, want)
		}
	}
	for k := uint32(0); k < 1<<12; k++ {
		check(k)
		check(math.MaxUint32 - k)
		check(k << 20)
	}
}

// TestCounter checks that numbers depend on their place alone, and that they are the same bits on every
// machine: the sum of a million of them is known.
func TestCounter(t *testing.T) {
	whole := make([]float32, 1003)
	NormalAt(NewCounter(7, 1), whole)
	pieces := NewCounter(7, 1)
	for from := 0; from < len(whole); {
		n := min(1+from%7, len(whole)-from)
		x := make([]float64, n)
		NormalAt(pieces, x)
		for i, v := range x {
			if v != float64(whole[from+i]) {
				t.Fatalf("number %d is %g in pieces, %g at once", from+i, v, whole[from+i])
			}
		}
		from += n
	}
	x := make([]float32, 1<<20)
	NormalAt(NewCounter(1, 0), x)
	h := fnv.New64a()
	var sum, squares, fourth float64
	for _, v := range x {
		b := math.Float32bits(v)
		h.Write([]byte{byte(b), byte(b >> 8), byte(b >> 16), byte(b >> 24)})
		v := float64(v)
		sum, squares, fourth = sum+v, squares+v*v, fourth+v*v*v*v
	}
	if got := h.Sum64(); got != 0x2b9bd016f0e1d303 {
		t.Errorf("a million numbers of seed 1 hash to %#x", got)
	}
	// Four deviations of the mean of n values: 1/√n, √(2/n), √(96/n).
	n := float64(len(x))
	if m := sum / n; !(math.Abs(m) <= 4/math.Sqrt(n)) {
		t.Errorf("mean %g", m)
	}
	if v := squares / n; !(math.Abs(v-1) <= 4*math.Sqrt(2/n)) {
		t.Errorf("variance %g", v)
	}
	if k := fourth / n; !(math.Abs(k-3) <= 4*math.Sqrt(96/n)) {
		t.Errorf("fourth moment %g", k)
	}
}

func BenchmarkCounter(b *testing.B) {
	x := make([]float32, 1<<14)
	c := NewCounter(1, 0)
	b.SetBytes(4 << 14)
	for b.Loop() {
		NormalAt(c, x)
	}
}
