package attn

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

func checkRope(h *kerneltest.H, x, cos, sin []float32) {
	h.Helper()
	half := len(cos)
	got := kerneltest.InOut(h, x)
	Rope(got, kerneltest.In(h, cos), kerneltest.In(h, sin))
	h.Within("Rope", got, func(i int) (float64, float64) {
		if i >= 2*half {
			return float64(x[i]), 0
		}
		a, b, c, s := float64(x[i%half]), float64(x[i%half+half]), float64(cos[i%half]), float64(sin[i%half])
		if i >= half {
			a, b, s = b, a, -s
		}
		return a*c - b*s, (math.Abs(a*c-b*s) + math.Abs(b*s)) * 0x1p-24 // two roundings
	})
	h.Check("Rope half=%d of %d", half, len(x))
}

func TestRope(t *testing.T) {
	kerneltest.All(t, "attn.Rope", func(h *kerneltest.H) {
		kerneltest.Lengths(func(n int) {
			checkRope(h, h.Normal(2*n+n%3, 1), h.Uniform(n, -1, 1), h.Uniform(n, -1, 1))
		})
		inv := make([]float64, 64)
		Frequencies(inv, 10_000, 128)
		sin, cos := make([]float32, 64), make([]float32, 64)
		SinCos(sin, cos, 1234, inv)
		checkRope(h, h.Normal(128, 1), cos, sin)
	})
}

// softmax64 is the softmax of scale·scores in float64 and the span of its finite arguments.
func softmax64(scores []float32, scale float64) (w []float64, span float64) {
	m, lo := math.Inf(-1), math.Inf(1)
	for _, s := range scores {
		m = max(m, float64(s)*scale)
		if s > float32(math.Inf(-1)) {
			lo = min(lo, float64(s)*scale)
		}
	}
	var sum float64
	for _, s := range scores {
		w = append(w, math.Exp(float64(s)*scale-m))
		sum += w[len(w)-1]
	}
	for i := range w {
		w[i] /= sum
	}
	return w, m - lo
}

// checkSoftmax runs blocks and compares the weights, corrected as a caller would and divided by
// the sum. The arguments of a weight and its corrections span the range of scores at most twice
// and are rounded once each; an exponential and its product count 4 roundings a block; the sum
// has the same errors and its own n/16 + 5 additions, and one product and addition a block.
func checkSoftmax(h *kerneltest.H, scores []float32, scale float32, block int) {
	h.Helper()
	got := kerneltest.InOut(h, scores)
	out := kerneltest.Out[float32](h, len(scores))
	copy(out, got)
	s := NewSoftmax()
	blocks := 0
	for i := 0; i < len(got); i += block {
		j := min(i+block, len(got))
		corr := s.Step(got[i:j], scale)
		if i == 0 && corr != 0 {
			h.Fatalf("%s: first correction %g", h.ISA, corr)
		}
		copy(out[i:j], got[i:j])
		for k := range out[:i] {
			out[k] *= corr
		}
		blocks++
	}
	for i := range out {
		out[i] /= s.Sum
	}
	want, span := softmax64(scores, float64(scale))
	roundings := 2*(2*span+4*float64(blocks+1)) + float64(len(scores)/16+5+2*blocks)
	h.Within("softmax", out, func(i int) (float64, float64) {
		if scores[i] == float32(math.Inf(-1)) {
			return 0, 0
		}
		return want[i], want[i]*roundings*0x1p-24 + float64(blocks)*0x1p-149
	})
	h.Check("Softmax n=%d block=%d", len(scores), block)
}

// checkMerge takes the two parts of the scores as softmaxes of their own and merges them: one more
// correction, product and addition than in checkSoftmax.
func checkMerge(h *kerneltest.H, scores []float32, scale float32, cut int) {
	h.Helper()
	out := slices.Clone(scores)
	a, b := NewSoftmax(), NewSoftmax()
	a.Step(out[:cut], scale)
	b.Step(out[cut:], scale)
	before, now := a.Merge(b)
	for i := range out {
		if i < cut {
			out[i] *= before / a.Sum
		} else {
			out[i] *= now / a.Sum
		}
	}
	want, span := softmax64(scores, float64(scale))
	roundings := 2*(3*span+16) + float64(len(scores)/16+12)
	h.Within("merged", out, func(i int) (float64, float64) { return want[i], want[i]*roundings*0x1p-24 + 0x1p-148 })
	h.Check("Merge n=%d cut=%d", len(scores), cut)
}

func TestMerge(t *testing.T) {
	kerneltest.All(t, "vec.math", func(h *kerneltest.H) {
		for n := 2; n <= kerneltest.MaxLength; n++ {
			x := h.Normal(n, 8)
			checkMerge(h, x, 0.125, 1+h.Rand.IntN(n-1))
			slices.Sort(x)
			checkMerge(h, x, 0.5, n/2)
			slices.Reverse(x)
			checkMerge(h, x, 0.5, n/2)
		}
	})
}

func TestSoftmax(t *testing.T) {
	for _, kernel := range []string{"vec.Max", "vec.ExpSum", "vec.math"} {
		kerneltest.All(t, kernel, func(h *kerneltest.H) {
			for n := 1; n <= kerneltest.MaxLength; n++ {
				x := h.Normal(n, 8)
				checkSoftmax(h, x, 0.125, 16)
				for i := 1; i < n; i++ {
					if h.Rand.IntN(3) == 0 || i >= 16 && i < 32 {
						x[i] = float32(math.Inf(-1))
					}
				}
				checkSoftmax(h, x, 0.125, 16)
			}
			x := h.Normal(1000, 30)
			slices.Sort(x) // the maximum moves in every block
			checkSoftmax(h, x, 0.08838835, 64)
			slices.Reverse(x)
			checkSoftmax(h, x, 0.08838835, 64)
		})
	}
}

func TestLengthsMustAgree(t *testing.T) {
	f, d := func(n int) []float32 { return make([]float32, n) }, func(n int) []float64 { return make([]float64, n) }
	for name, call := range map[string]func(){
		"Rope sin":    func() { Rope(f(4), f(2), f(1)) },
		"Rope x":      func() { Rope(f(3), f(2), f(2)) },
		"SinCos":      func() { SinCos(f(2), f(1), 1, d(2)) },
		"Frequencies": func() { Frequencies(d(3), 10_000, 8) },
		"theta":       func() { Frequencies(d(4), math.NaN(), 8) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func FuzzAttn(f *testing.F) {
	f.Add(uint16(32), uint8(16), uint64(1), float32(0.125))
	f.Fuzz(func(t *testing.T, n uint16, block uint8, seed uint64, scale float32) {
		kerneltest.All(t, "attn.Rope", func(h *kerneltest.H) {
			h.Reseed(seed)
			n := int(n % 600)
			x := kerneltest.InOut(h, h.Patterns(2*n+1))
			Rope(x, kerneltest.In(h, h.Patterns(n)), kerneltest.In(h, h.Patterns(n)))
			h.Check("Rope")
		})
		kerneltest.All(t, "vec.ExpSum", func(h *kerneltest.H) {
			h.Reseed(seed)
			x, s := kerneltest.InOut(h, h.Patterns(int(n%600))), NewSoftmax()
			for i := 0; i < len(x); i += int(block) + 1 {
				s.Step(x[i:min(i+int(block)+1, len(x))], scale)
			}
			h.Check("Softmax")
		})
	})
}

func BenchmarkAttn(b *testing.B) {
	for _, n := range []int{64, 128} {
		x, cos, sin := make([]float32, n), make([]float32, n/2), make([]float32, n/2)
		kerneltest.Bench(b, "attn.Rope", fmt.Sprintf("Rope/r=%d", n), func(b *testing.B) {
			for b.Loop() {
				Rope(x, cos, sin)
			}
		})
	}
	for _, n := range []int{16, 64, 256} {
		scores := make([]float32, n)
		kerneltest.Bench(b, "vec.ExpSum", fmt.Sprintf("Softmax/n=%d", n), func(b *testing.B) {
			s := NewSoftmax()
			for b.Loop() {
				s.Step(scores, 0.125)
			}
		})
	}
	inv, sin, cos := make([]float64, 64), make([]float32, 64), make([]float32, 64)
	b.Run("Frequencies", func(b *testing.B) {
		for b.Loop() {
			Frequencies(inv, 10_000, 128)
		}
	})
	b.Run("SinCos", func(b *testing.B) {
		for b.Loop() {
			SinCos(sin, cos, 4096, inv)
		}
	})
}
