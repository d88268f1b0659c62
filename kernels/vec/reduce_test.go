package vec

import (
	"fmt"
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

func max64(x []float32) float64 {
	m := math.Inf(-1)
	for _, v := range x {
		m = math.Max(m, float64(v))
	}
	return m
}

func checkMax(h *kerneltest.H, x []float32) {
	h.Helper()
	got := kerneltest.Out[float32](h, 1)
	got[0] = Max(kerneltest.In(h, x))
	h.Within("Max", got, func(int) (float64, float64) { return max64(x), 0 })
	if got[0] == 0 && math.Signbit(float64(got[0])) {
		h.Fatalf("%s Max n=%d: -0", h.ISA, len(x))
	}
	h.Check("Max n=%d", len(x))
}

func TestMax(t *testing.T) {
	kerneltest.All(t, "vec.Max", func(h *kerneltest.H) {
		kerneltest.Lengths(func(n int) {
			checkMax(h, h.Normal(n, 1))
			for range 3 {
				x := h.Uniform(n, -3, -2)
				if n > 0 {
					x[h.Rand.IntN(n)] = []float32{-1, float32(math.Copysign(0, -1)), float32(math.NaN())}[h.Rand.IntN(3)]
				}
				checkMax(h, x)
			}
		})
		for at := range 70 { // the one NaN, or the one largest, in every lane of every step
			for _, v := range []float32{float32(math.NaN()), 5} {
				x := h.Normal(70, 1)
				x[at] = v
				checkMax(h, x)
			}
		}
		checkMax(h, h.Normal(152_064, 1))
	})
}

// checkExpSum compares with float64. The argument's one rounding moves an exponential by
// |a|·2⁻²⁴ of itself; a partial sum takes n/16 additions and the tree four.
func checkExpSum(h *kerneltest.H, x []float32, scale, shift float32) {
	h.Helper()
	dst, sum := kerneltest.Out[float32](h, len(x)), kerneltest.Out[float32](h, 1)
	sum[0] = ExpSum(dst, kerneltest.In(h, x), scale, shift)
	var total, slack float64
	at := func(i int) (float64, float64) {
		a := float64(x[i])*float64(scale) - float64(shift)
		y := math.Exp(a)
		return y, 1.5*ulp(y) + y*math.Abs(a)*0x1p-24
	}
	h.Within("ExpSum", dst, func(i int) (float64, float64) {
		y, bound := at(i)
		if math.IsInf(float64(x[i]), -1) {
			bound = 0
		} else {
			slack += bound
		}
		total += y
		return y, bound
	})
	h.Within("ExpSum sum", sum, func(int) (float64, float64) {
		return total, slack + total*float64(len(x)/16+5)*0x1p-24
	})
	h.Check("ExpSum n=%d", len(x))
	io, again := kerneltest.InOut(h, x), kerneltest.Out[float32](h, 1)
	again[0] = ExpSum(io, io, scale, shift)
	h.Check("ExpSum in place n=%d", len(x))
}

func TestExpSum(t *testing.T) {
	kerneltest.All(t, "vec.ExpSum", func(h *kerneltest.H) {
		kerneltest.Lengths(func(n int) {
			x := h.Normal(n, 8)
			checkExpSum(h, x, 0.125, float32(max64(x)/8)+0.25)
			if n > 0 {
				x[h.Rand.IntN(n)] = float32(math.Inf(-1))
				checkExpSum(h, x, 0.088388346, 3)
			}
		})
		checkExpSum(h, h.Normal(4096, 30), 1, 80)
	})
}

func FuzzReduce(f *testing.F) {
	f.Add(uint16(3), uint64(1), float32(1), float32(0))
	f.Fuzz(func(t *testing.T, n uint16, seed uint64, scale, shift float32) {
		kerneltest.All(t, "vec.Max", func(h *kerneltest.H) {
			h.Reseed(seed)
			checkMax(h, h.Patterns(int(n%2000)))
			checkMax(h, h.Normal(int(n%2000), 1))
		})
		kerneltest.All(t, "vec.ExpSum", func(h *kerneltest.H) {
			h.Reseed(seed)
			x := h.Patterns(int(n % 2000))
			dst, sum := kerneltest.Out[float32](h, len(x)), kerneltest.Out[float32](h, 1)
			sum[0] = ExpSum(dst, kerneltest.In(h, x), scale, shift)
			h.Check("ExpSum")
		})
	})
}

func BenchmarkReduce(b *testing.B) {
	x, dst := make([]float32, 152_064), make([]float32, 4096)
	for i := range x {
		x[i] = float32(i%17) - 8
	}
	for _, n := range []int{16, 256, 152_064} {
		kerneltest.Bench(b, "vec.Max", fmt.Sprintf("Max/n=%d", n), func(b *testing.B) {
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				Max(x[:n])
			}
		})
	}
	for _, n := range []int{16, 256, 4096} {
		kerneltest.Bench(b, "vec.ExpSum", fmt.Sprintf("ExpSum/n=%d", n), func(b *testing.B) {
			b.SetBytes(int64(8 * n))
			for b.Loop() {
				ExpSum(dst[:n], x[:n], 0.125, 1)
			}
		})
	}
}
