package conv

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
	"github.com/mminfer/mminfer/kernels/vec"
)

// sequence is one call's operands.
type sequence struct {
	tokens, channels, width int
	xStride, dstStride      int
	x, w, bias, tail        []float32
}

func random(h *kerneltest.H, tokens, channels, width, pad int) sequence {
	s := sequence{tokens: tokens, channels: channels, width: width, xStride: channels + pad, dstStride: channels + 2*pad}
	s.x = h.Normal(max((tokens-1)*s.xStride+channels, 0), 1)
	s.w, s.tail = h.Normal(width*channels, 0.5), h.Normal((width-1)*channels, 1)
	if pad%2 == 0 {
		s.bias = h.Normal(channels, 1)
	}
	return s
}

// run convolves in pieces that end at the cuts and returns dst and the last tail.
func (s sequence) run(h *kerneltest.H, cuts ...int) (dst, tail []float32) {
	gap := slices.Repeat([]float32{-7}, max((s.tokens-1)*s.dstStride+s.channels, 0))
	dst, tail = kerneltest.InOut(h, gap), kerneltest.InOut(h, s.tail)
	x, w := kerneltest.In(h, s.x), kerneltest.In(h, s.w)
	var bias []float32
	if s.bias != nil {
		bias = kerneltest.In(h, s.bias)
	}
	from := 0
	for _, to := range append(cuts, s.tokens) {
		if to == from {
			Causal(nil, s.dstStride, nil, s.xStride, w, bias, tail, 0, s.channels)
			continue
		}
		Causal(dst[from*s.dstStride:], s.dstStride, x[from*s.xStride:], s.xStride, w, bias, tail, to-from, s.channels)
		from = to
	}
	return dst, tail
}

// input is u[t, c]: x, and the tail for t < 0.
func (s sequence) input(t, c int) float32 {
	if t < 0 {
		return s.tail[(t+s.width-1)*s.channels+c]
	}
	return s.x[t*s.xStride+c]
}

// want is y[t, c] in float64 with the bound of W fused roundings.
func (s sequence) want(t, c int) (y, bound float64) {
	if s.bias != nil {
		y = float64(s.bias[c])
	}
	size := math.Abs(y)
	for j := range s.width {
		p := float64(s.w[j*s.channels+c]) * float64(s.input(t-s.width+1+j, c))
		y, size = y+p, size+math.Abs(p)
	}
	return y, float64(s.width)*0x1p-24*size + 0x1p-149
}

func (s sequence) check(h *kerneltest.H) {
	h.Helper()
	dst, tail := s.run(h)
	h.Within("Causal", dst, func(i int) (float64, float64) {
		t, c := i/s.dstStride, i%s.dstStride
		if c >= s.channels {
			return -7, 0
		}
		return s.want(t, c)
	})
	h.Within("tail", tail, func(i int) (float64, float64) {
		return float64(s.input(s.tokens-s.width+1+i/s.channels, i%s.channels)), 0
	})
	whole, last := slices.Clone(dst), slices.Clone(tail)
	h.Check("Causal T=%d C=%d W=%d", s.tokens, s.channels, s.width)
	every := make([]int, s.tokens)
	for i := range every {
		every[i] = i
	}
	for _, cuts := range [][]int{every, {s.tokens / 3, s.tokens / 3, s.tokens - s.tokens/4}} {
		dst, tail = s.run(h, cuts...)
		if !slices.Equal(dst, whole) || !slices.Equal(tail, last) {
			h.Fatalf("%s T=%d C=%d W=%d cut at %v is not the whole", h.ISA, s.tokens, s.channels, s.width, cuts)
		}
		h.Check("Causal T=%d C=%d W=%d cut at %v", s.tokens, s.channels, s.width, cuts)
	}
}

func TestCausal(t *testing.T) {
	kerneltest.All(t, "conv.Causal", func(h *kerneltest.H) {
		kerneltest.Lengths(func(n int) { random(h, 3+n%4, n, 1+n%5, n%3).check(h) })
		for tokens := range 10 {
			for width := 1; width <= 5; width++ {
				random(h, tokens, 21, width, tokens%3).check(h)
			}
		}
		random(h, 33, 1024, 4, 0).check(h)
		random(h, 5, 1536, 4, 4096-1536).check(h)
	})
}

// golden is a case of testdata/short_conv.json, computed in float64 by an independent program from
// inputs that BF16 holds exactly: x [T, C], weight [C, W], tail [W-1, C].
type golden struct {
	Name                  string
	T, C, W               int
	X, Weight, Bias, Tail []float32
	WantY                 []float64 `json:"want_y"`
	WantSiLU              []float64 `json:"want_y_silu"`
	WantTail              []float64 `json:"want_tail"`
}

func TestCausalGolden(t *testing.T) {
	data, err := os.ReadFile("testdata/short_conv.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []golden
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	kerneltest.All(t, "conv.Causal", func(h *kerneltest.H) {
		for _, g := range cases {
			g.check(h)
		}
	})
}

func (g golden) check(h *kerneltest.H) {
	s := sequence{tokens: g.T, channels: g.C, width: g.W, xStride: g.C, dstStride: g.C, x: g.X, bias: g.Bias, tail: g.Tail}
	if s.tail == nil {
		s.tail = make([]float32, (g.W-1)*g.C)
	}
	s.w = make([]float32, g.W*g.C)
	for i, v := range g.Weight {
		s.w[i%g.W*g.C+i/g.W] = v
	}
	dst, tail := s.run(h)
	y := slices.Clone(dst)
	h.Within(g.Name+" tail", tail, func(i int) (float64, float64) { return g.WantTail[i], 0 })
	h.Check("golden %s", g.Name)
	want, slope, ulps := g.WantY, 1.0, 0.0
	if want == nil { // the steepest slope of SiLU is 1.1, its own error 3 ulps
		vec.SiLU(y, y)
		want, slope, ulps = g.WantSiLU, 1.1, 3
	}
	if len(want) != len(y) {
		h.Fatalf("golden %s: %d values, want %d", g.Name, len(want), len(y))
	}
	h.Within(g.Name, y, func(i int) (float64, float64) {
		_, bound := s.want(i/g.C, i%g.C)
		return want[i], slope*bound + ulps*0x1p-23*math.Abs(want[i])
	})
}

func TestSizesMustAgree(t *testing.T) {
	f := func(n int) []float32 { return make([]float32, n) }
	for name, call := range map[string]func(){
		"dst":    func() { Causal(f(7), 4, f(8), 4, f(8), nil, f(4), 2, 4) },
		"x":      func() { Causal(f(8), 4, f(7), 4, f(8), nil, f(4), 2, 4) },
		"w":      func() { Causal(f(8), 4, f(8), 4, f(9), nil, f(5), 2, 4) },
		"tail":   func() { Causal(f(8), 4, f(8), 4, f(8), nil, f(8), 2, 4) },
		"bias":   func() { Causal(f(8), 4, f(8), 4, f(8), f(3), f(4), 2, 4) },
		"stride": func() { Causal(f(8), 3, f(8), 4, f(8), nil, f(4), 2, 4) },
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

func FuzzCausal(f *testing.F) {
	f.Add(uint8(5), uint16(17), uint8(4), uint8(1), uint8(2), uint64(1))
	f.Fuzz(func(t *testing.T, tokens uint8, channels uint16, width, pad, cut uint8, seed uint64) {
		kerneltest.All(t, "conv.Causal", func(h *kerneltest.H) {
			h.Reseed(seed)
			s := random(h, int(tokens%40), int(channels%200), int(width%8)+1, int(pad%20))
			s.x = h.Patterns(len(s.x))
			s.run(h, min(int(cut), s.tokens))
			h.Check("Causal")
		})
	})
}

func BenchmarkCausal(b *testing.B) {
	for _, tokens := range []int{1, 128} {
		for _, c := range []int{64, 1024} {
			x, dst := make([]float32, tokens*c), make([]float32, tokens*c)
			w, tail := make([]float32, 4*c), make([]float32, 3*c)
			kerneltest.Bench(b, "conv.Causal", fmt.Sprintf("Causal/T=%d/C=%d/W=4", tokens, c), func(b *testing.B) {
				b.SetBytes(int64(8 * len(x)))
				for b.Loop() {
					Causal(dst, c, x, c, w, nil, tail, tokens, c)
				}
			})
		}
	}
}
