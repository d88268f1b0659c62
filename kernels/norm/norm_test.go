package norm

import (
	"fmt"
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// factor is the sum of squares, the mean's divisor applied and eps added, under 1/√ in float64.
func factor(x []float32, divisor float64, eps float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return 1 / math.Sqrt(sum/divisor+float64(eps))
}

// rounding bounds the relative error of an output: the sum's n/16 + 4 additions, the division by
// n and the addition of eps count half, as they pass a square root; the root, its inverse and
// the products of the element count whole.
func rounding(n, products int) float64 { return (float64(n/16+7)/2 + 2 + float64(products)) * 0x1p-24 }

func checkRMS(h *kerneltest.H, x, w []float32, eps float32) {
	h.Helper()
	d := len(w)
	dst := kerneltest.Out[float32](h, len(x))
	RMS(dst, kerneltest.In(h, x), kerneltest.In(h, w), eps)
	for r := 0; r < len(x); r += d {
		f := factor(x[r:r+d], float64(d), eps)
		h.Within("RMS", dst[r:r+d], func(i int) (float64, float64) {
			y := float64(x[r+i]) * f * float64(w[i])
			return y, math.Abs(y)*rounding(d, 2) + 0x1p-149
		})
	}
	h.Check("RMS d=%d of %d", d, len(x))
	io := kerneltest.InOut(h, x)
	RMS(io, io, kerneltest.In(h, w), eps)
	h.Check("RMS in place d=%d of %d", d, len(x))
}

func checkL2(h *kerneltest.H, x []float32, d int, eps float32) {
	h.Helper()
	dst := kerneltest.Out[float32](h, len(x))
	L2(dst, kerneltest.In(h, x), d, eps)
	for g := 0; g < len(x); g += d {
		f := factor(x[g:g+d], 1, eps)
		h.Within("L2", dst[g:g+d], func(i int) (float64, float64) {
			y := float64(x[g+i]) * f
			return y, math.Abs(y)*rounding(d, 1) + 0x1p-149
		})
	}
	h.Check("L2 d=%d of %d", d, len(x))
	io := kerneltest.InOut(h, x)
	L2(io, io, d, eps)
	h.Check("L2 in place d=%d of %d", d, len(x))
}

func TestRMS(t *testing.T) {
	kerneltest.All(t, "norm.RMS", func(h *kerneltest.H) {
		RMS(nil, nil, []float32{1}, 1e-6)
		for d := 1; d <= kerneltest.MaxLength; d++ {
			checkRMS(h, h.Normal(d*(1+d%3), 2), h.Normal(d, 1), 1e-5)
		}
		for _, s := range [][2]int{{37, 12}, {64, 32}, {9, 64}, {3, 1024}, {2, 4096}} {
			checkRMS(h, h.Normal(s[0]*s[1], 1), h.Normal(s[1], 1), 1e-6)
		}
		checkRMS(h, make([]float32, 40), h.Normal(20, 1), 1e-6)
		checkRMS(h, h.Normal(700*100, 1), h.Normal(100, 1), 1e-6)
		checkRMS(h, h.Normal(2*(maxElements+1), 1), h.Normal(maxElements+1, 1), 1e-6)
	})
}

func TestL2(t *testing.T) {
	kerneltest.All(t, "norm.L2", func(h *kerneltest.H) {
		L2(nil, nil, 1, 1e-6)
		for d := 1; d <= kerneltest.MaxLength; d++ {
			checkL2(h, h.Normal(d*(1+d%3), 2), d, 1e-6)
		}
		for _, s := range [][2]int{{37, 12}, {64, 32}, {9, 64}, {16, 128}, {4, 256}} {
			checkL2(h, h.Normal(s[0]*s[1], 1), s[1], 1e-6)
		}
		checkL2(h, make([]float32, 40), 20, 1e-6)
		checkL2(h, h.Normal(700*100, 1), 100, 1e-6)
	})
}

func TestRowsMustBeWhole(t *testing.T) {
	for name, f := range map[string]func(){
		"RMS":     func() { RMS(make([]float32, 6), make([]float32, 6), make([]float32, 4), 1) },
		"RMS dst": func() { RMS(make([]float32, 4), make([]float32, 8), make([]float32, 4), 1) },
		"RMS w":   func() { RMS(nil, nil, nil, 1) },
		"L2":      func() { L2(make([]float32, 6), make([]float32, 6), 4, 1) },
		"L2 d":    func() { L2(nil, nil, 0, 1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func FuzzNorm(f *testing.F) {
	f.Add(uint8(3), uint16(12), uint64(1), float32(1e-6))
	f.Fuzz(func(t *testing.T, rows uint8, d uint16, seed uint64, eps float32) {
		n := int(d%700) + 1
		kerneltest.All(t, "norm.RMS", func(h *kerneltest.H) {
			h.Reseed(seed)
			dst := kerneltest.Out[float32](h, int(rows)*n)
			RMS(dst, kerneltest.In(h, h.Patterns(int(rows)*n)), kerneltest.In(h, h.Patterns(n)), eps)
			h.Check("RMS")
		})
		kerneltest.All(t, "norm.L2", func(h *kerneltest.H) {
			h.Reseed(seed)
			dst := kerneltest.Out[float32](h, int(rows)*n)
			L2(dst, kerneltest.In(h, h.Normal(int(rows)*n, 1e-10)), n, eps)
			h.Check("L2")
		})
	})
}

func BenchmarkNorm(b *testing.B) {
	for _, s := range [][2]int{{1024, 12}, {128, 32}, {32, 128}, {4, 1024}, {1, 4096}} {
		rows, d := s[0], s[1]
		x, dst, w := make([]float32, rows*d), make([]float32, rows*d), make([]float32, d)
		for i := range x {
			x[i] = float32(i%17) - 8
		}
		kerneltest.Bench(b, "norm.RMS", fmt.Sprintf("RMS/T=%d/D=%d", rows, d), func(b *testing.B) {
			b.SetBytes(int64(8 * rows * d))
			for b.Loop() {
				RMS(dst, x, w, 1e-6)
			}
		})
		kerneltest.Bench(b, "norm.L2", fmt.Sprintf("L2/T=%d/D=%d", rows, d), func(b *testing.B) {
			b.SetBytes(int64(8 * rows * d))
			for b.Loop() {
				L2(dst, x, d, 1e-6)
			}
		})
	}
}
