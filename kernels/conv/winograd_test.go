package conv

import (
	"fmt"
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// TestWinograd computes tiles by transforms and products and holds them to the convolution. The transforms' sums and the
// product round some forty times, each by at most the magnitude of all that meets in an output: 4 inputs by 9/4 of a filter in each direction.
func TestWinograd(t *testing.T) {
	kerneltest.All(t, "conv.Winograd", func(h *kerneltest.H) {
		kerneltest.Lengths(func(c int) {
			if c == 0 {
				return
			}
			column := c + c%3
			row, stride := 4*column+c%2, c+c%5
			x, filters := h.Normal(3*row+3*column+c, 1), h.Normal(9*c, 1)
			v := kerneltest.Out[float32](h, 16*c)
			WinogradSource(v, c, kerneltest.In(h, x), row, column, c)
			m := make([]float32, 15*stride+c)
			var u [16]float32
			for ch := range c {
				WinogradFilter(&u, (*[9]float32)(filters[9*ch:]))
				for i := range u {
					m[i*stride+ch] = u[i] * v[i*c+ch]
				}
			}
			var y [4][]float32
			start := h.Normal(c, 1)
			for i := range y {
				y[i] = kerneltest.InOut(h, start)
			}
			WinogradOutput(y[0], y[1], y[2], y[3], kerneltest.In(h, m), stride)
			for i := range y {
				h.Within("tile", y[i], func(ch int) (float64, float64) {
					want, inputs, weights := float64(start[ch]), 0.0, 0.0
					for k := range 9 {
						want += float64(filters[9*ch+k]) * float64(x[(i/2+k/3)*row+(i%2+k%3)*column+ch])
						weights += math.Abs(float64(filters[9*ch+k]))
					}
					for k := range 16 {
						inputs += math.Abs(float64(x[k/4*row+k%4*column+ch]))
					}
					return want, 40 * 0x1p-24 * (inputs*weights + math.Abs(float64(start[ch])))
				})
			}
			h.Check("Winograd C=%d", c)
		})
	})
}

func TestWinogradRefuses(t *testing.T) {
	x := make([]float32, 64)
	for name, f := range map[string]func(){
		"source dst":    func() { WinogradSource(x[:63], 4, x, 16, 4, 4) },
		"source x":      func() { WinogradSource(x, 4, x[:63], 16, 4, 4) },
		"source column": func() { WinogradSource(x, 4, x, 16, 3, 4) },
		"output m":      func() { WinogradOutput(x[:4], x[:4], x[:4], x[:4], x[:63], 4) },
		"output y":      func() { WinogradOutput(x[:4], x[:4], x[:3], x[:4], x, 4) },
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

func BenchmarkWinograd(b *testing.B) {
	for _, c := range []int{128, 320} {
		x, m, y := make([]float32, 16*c), make([]float32, 16*c), make([]float32, 4*c)
		kerneltest.Bench(b, "conv.Winograd", fmt.Sprintf("source/C=%d", c), func(b *testing.B) {
			for b.Loop() {
				WinogradSource(m, c, x, 4*c, c, c)
			}
		})
		kerneltest.Bench(b, "conv.Winograd", fmt.Sprintf("output/C=%d", c), func(b *testing.B) {
			for b.Loop() {
				WinogradOutput(y[:c], y[c:2*c], y[2*c:3*c], y[3*c:], m, c)
			}
		})
	}
}
