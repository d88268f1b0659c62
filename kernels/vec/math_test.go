package vec

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// function is a kernel of one input beside the same function in float64.
type function struct {
	name string
	run  func(dst, x []float32)
	want func(x float64) float64
	// bound is the largest error at a value y = want(x): ulps of the operations that make it.
	ulps   float64
	lo, hi float64
	floor  float64 // what an exponential that overflowed may flush to 0
}

var functions = []function{
	{"Exp", Exp, math.Exp, 1.5, -110, 90, 0},
	{"Log", Log, math.Log, 1.5, 1e-6, 1e6, 0},
	// The exponential's error, the sum's and the quotient's.
	{"Sigmoid", Sigmoid, func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }, 3, -100, 100, 0x1p-127},
	{"SiLU", SiLU, func(x float64) float64 { return x / (1 + math.Exp(-x)) }, 3, -100, 100, 104 * 0x1p-127},
	// The exponential's error, the logarithm's, the quotient's and two sums'.
	{"Softplus", Softplus, softplus64, 5, -100, 100, 0},
}

func softplus64(x float64) float64 { return math.Max(x, 0) + math.Log1p(math.Exp(-math.Abs(x))) }

// ulp is the spacing of float32 at y.
func ulp(y float64) float64 {
	return math.Max(math.Abs(y)*0x1p-23, 0x1p-149)
}

func TestMath(t *testing.T) {
	kerneltest.All(t, "vec.math", func(h *kerneltest.H) {
		for _, f := range functions {
			kerneltest.Lengths(func(n int) { f.check(h, h.Uniform(n, f.lo, f.hi)) })
			f.check(h, kerneltest.Specials)
			f.check(h, h.Patterns(10_000))
			f.check(h, h.Uniform(10_000, math.Max(f.lo, -5), 5))
		}
	})
}

func (f function) check(h *kerneltest.H, x []float32) {
	h.Helper()
	in, dst := kerneltest.In(h, x), kerneltest.Out[float32](h, len(x))
	f.run(dst, in)
	h.Within(f.name, dst, func(i int) (float64, float64) {
		y := f.want(float64(x[i]))
		if math.Abs(y) > math.MaxFloat32 {
			y = math.Copysign(math.Inf(1), y)
		}
		// Near the largest float32, rounding may go either way; near 1 a logarithm's argument is exact.
		if y > 0x1.fffffcp127 || math.IsInf(y, 0) && math.Abs(float64(x[i])) < 89 {
			return y, math.Inf(1)
		}
		return y, f.ulps*ulp(y) + f.floor
	})
	h.Check("%s n=%d", f.name, len(x))
	io := kerneltest.InOut(h, x)
	f.run(io, io)
	h.Check("%s in place n=%d", f.name, len(x))
}

func TestSiLUMul(t *testing.T) {
	kerneltest.All(t, "vec.math", func(h *kerneltest.H) {
		check := func(g, u []float32) {
			dst := kerneltest.Out[float32](h, len(g))
			SiLUMul(dst, kerneltest.In(h, g), kerneltest.In(h, u))
			h.Within("SiLUMul", dst, func(i int) (float64, float64) {
				y := float64(g[i]) / (1 + math.Exp(-float64(g[i]))) * float64(u[i])
				return y, 4*ulp(y) + math.Abs(float64(u[i]))*0x1p-149
			})
			h.Check("SiLUMul n=%d", len(g))
		}
		kerneltest.Lengths(func(n int) { check(h.Uniform(n, -30, 30), h.Normal(n, 2)) })
	})
}

func FuzzMath(f *testing.F) {
	f.Add(uint16(3), uint64(1))
	f.Fuzz(func(t *testing.T, n uint16, seed uint64) {
		kerneltest.All(t, "vec.math", func(h *kerneltest.H) {
			h.Reseed(seed)
			x := h.Patterns(int(n % 2000))
			for _, fn := range functions {
				dst := kerneltest.Out[float32](h, len(x))
				fn.run(dst, kerneltest.In(h, x))
				h.Check("%s", fn.name)
			}
		})
	})
}

func BenchmarkMath(b *testing.B) {
	for _, f := range functions {
		kerneltest.Bench(b, "vec.math", f.name, func(b *testing.B) {
			x, dst := make([]float32, 4096), make([]float32, 4096)
			for i := range x {
				x[i] = float32(i%17) - 8
			}
			b.SetBytes(int64(8 * len(x)))
			for b.Loop() {
				f.run(dst, x)
			}
		})
	}
}
