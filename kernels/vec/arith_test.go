package vec

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

func TestArith(t *testing.T) {
	type op struct {
		name string
		run  func(dst, a, b []float32)
		want func(dst, a, b float64) float64
	}
	const s = 0.37
	ops := []op{
		{"Add", Add, func(_, a, b float64) float64 { return a + b }},
		{"Mul", Mul, func(_, a, b float64) float64 { return a * b }},
		{"Scale", func(dst, a, _ []float32) { Scale(dst, s, a) }, func(_, a, _ float64) float64 { return float64(float32(s)) * a }},
		{"Axpy", func(dst, a, _ []float32) { Axpy(dst, s, a) }, func(d, a, _ float64) float64 { return float64(float32(s))*a + d }},
		{"ReLU", func(dst, a, _ []float32) { ReLU(dst, a) }, func(_, a, _ float64) float64 { return max(a, 0) }},
	}
	kerneltest.All(t, "vec.arith", func(h *kerneltest.H) {
		check := func(o op, d, a, b []float32) {
			dst := kerneltest.InOut(h, d)
			o.run(dst, kerneltest.In(h, a), kerneltest.In(h, b))
			h.Within(o.name, dst, func(i int) (float64, float64) {
				y := o.want(float64(d[i]), float64(a[i]), float64(b[i]))
				if math.Abs(y) > math.MaxFloat32 {
					return y, math.Inf(1)
				}
				return y, math.Max(math.Abs(y)*0x1p-24, 0x1p-150) // one correct rounding
			})
			h.Check("%s n=%d", o.name, len(a))
		}
		for _, o := range ops {
			kerneltest.Lengths(func(n int) { check(o, h.Normal(n, 1), h.Normal(n, 3), h.Normal(n, 1)) })
			check(o, h.Patterns(5000), h.Patterns(5000), h.Patterns(5000))
			check(o, kerneltest.Specials, kerneltest.Specials, kerneltest.Specials)
		}
	})
}

func TestLengthsMustAgree(t *testing.T) {
	for name, f := range map[string]func(){
		"Add":     func() { Add(make([]float32, 3), make([]float32, 3), make([]float32, 4)) },
		"Axpy":    func() { Axpy(make([]float32, 3), 1, make([]float32, 2)) },
		"Exp":     func() { Exp(make([]float32, 3), make([]float32, 2)) },
		"SiLUMul": func() { SiLUMul(make([]float32, 3), make([]float32, 3), nil) },
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

func BenchmarkAxpy(b *testing.B) {
	kerneltest.Bench(b, "vec.arith", "Axpy", func(b *testing.B) {
		x, dst := make([]float32, 4096), make([]float32, 4096)
		b.SetBytes(int64(12 * len(x)))
		for b.Loop() {
			Axpy(dst, 0.5, x)
		}
	})
}
