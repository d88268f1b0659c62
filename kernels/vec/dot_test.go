package vec

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// sumBound is the error of a sum of n terms of the given magnitude: ⌈n/16⌉ additions in a lane and
// four of the tree.
func sumBound(n int, magnitude float64) float64 {
	depth := float64((n+15)/16+5) * 0x1p-24
	return depth/(1-depth)*magnitude + float64(n)*0x1p-149
}

func TestDot(t *testing.T) {
	kerneltest.All(t, "vec.Dot", func(h *kerneltest.H) {
		for _, patterns := range []bool{false, true} {
			kerneltest.Lengths(func(n int) {
				a, b := kerneltest.In(h, h.Normal(n, 1)), kerneltest.In(h, h.Normal(n, 1))
				if patterns {
					a, b = kerneltest.In(h, h.Patterns(n)), kerneltest.In(h, h.Uniform(n, -1e-20, 1e-20))
				}
				out := kerneltest.Out[float32](h, 1)
				out[0] = Dot(a, b)
				if !patterns {
					var want, magnitude float64
					for i := range a {
						want += float64(a[i]) * float64(b[i])
						magnitude += math.Abs(float64(a[i]) * float64(b[i]))
					}
					h.Within("Dot", out, func(int) (float64, float64) { return want, sumBound(n, magnitude) })
				}
				h.Check("n=%d", n)
			})
		}
	})
}

func TestSum(t *testing.T) {
	kerneltest.All(t, "vec.Sum", func(h *kerneltest.H) {
		kerneltest.Lengths(func(n int) {
			x := kerneltest.In(h, h.Normal(n, 1))
			out := kerneltest.Out[float32](h, 1)
			out[0] = Sum(x)
			var want, magnitude float64
			for _, v := range x {
				want += float64(v)
				magnitude += math.Abs(float64(v))
			}
			h.Within("Sum", out, func(int) (float64, float64) { return want, sumBound(n, magnitude) })
			h.Check("n=%d", n)
		})
	})
}

func TestShift(t *testing.T) {
	kerneltest.All(t, "vec.Shift", func(h *kerneltest.H) {
		kerneltest.Lengths(func(n int) {
			x, dst := kerneltest.In(h, h.Normal(n, 1)), kerneltest.Out[float32](h, n)
			Shift(dst, x, 0.3)
			for i := range x {
				if dst[i] != x[i]+float32(0.3) {
					h.Fatalf("%s: [%d] = %v", h.ISA, i, dst[i])
				}
			}
			h.Check("n=%d", n)
			y := kerneltest.InOut(h, h.Normal(n, 1))
			Shift(y, y, -2)
			h.Check("in place, n=%d", n)
		})
	})
}

// TestTanh: the polynomial and the quotient are each within two units in the last place.
func TestTanh(t *testing.T) {
	x := []float32{0, 1e-30, 0.1, 0.6249, 0.625, 0.7, 1, 3, 9, 20, 100, float32(math.Inf(1))}
	for v := float32(-10); v < 10; v += 0.0173 {
		x = append(x, v)
	}
	y := make([]float32, len(x))
	Tanh(y, x)
	for i, v := range x {
		want := math.Tanh(float64(v))
		if !(math.Abs(float64(y[i])-want) <= 3*0x1p-24*math.Abs(want)) {
			t.Errorf("tanh(%v) = %v, want %v", v, y[i], want)
		}
	}
	y = y[:3]
	Tanh(y, []float32{float32(math.NaN()), float32(math.Inf(-1)), -0.2})
	if y[0] == y[0] || y[1] != -1 || y[2] >= 0 {
		t.Errorf("tanh of NaN, -Inf and -0.2: %v", y)
	}
}
