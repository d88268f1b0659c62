package norm

import (
	"fmt"
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// strided spreads rows of c elements.
func strided(x []float32, c, stride int) []float32 {
	rows := len(x) / c
	out := make([]float32, (rows-1)*stride+c)
	for t := range rows {
		copy(out[t*stride:], x[t*c:(t+1)*c])
	}
	return out
}

// checkMoments holds the sums to those of the same differences: each is rounded once, and then by each addition.
func checkMoments(h *kerneltest.H, rows, c, stride int) {
	h.Helper()
	x := strided(h.Normal(rows*c, 3), c, stride)
	sum, square := kerneltest.Out[float32](h, c), kerneltest.Out[float32](h, c)
	Moments(sum, square, kerneltest.In(h, x), stride, rows)
	for _, p := range []struct {
		name  string
		got   []float32
		power float64
	}{{"sum", sum, 1}, {"square", square, 2}} {
		h.Within(p.name, p.got, func(i int) (float64, float64) {
			var total, magnitude float64
			for t := range rows {
				d := float64(x[t*stride+i]) - float64(x[i])
				total += math.Pow(d, p.power)
				magnitude += math.Pow(math.Abs(d), p.power)
			}
			return total, float64(rows+2) * magnitude * 0x1p-24
		})
	}
	h.Check("Moments %d of %d, %d apart", rows, c, stride)
}

func TestMoments(t *testing.T) {
	kerneltest.All(t, "norm.Moments", func(h *kerneltest.H) {
		Moments(nil, nil, nil, 0, 1)
		for c := 1; c <= 80; c++ {
			checkMoments(h, 1+c%5, c, c+c%3)
		}
		for _, s := range [][3]int{{256, 128, 144}, {37, 320, 336}, {1, 300, 300}, {255, 12, 16}} {
			checkMoments(h, s[0], s[1], s[2])
		}
	})
}

func TestAffine(t *testing.T) {
	kerneltest.All(t, "norm.Affine", func(h *kerneltest.H) {
		Affine(nil, 3, nil, 3, 0, make([]float32, 3), make([]float32, 3))
		for c := 1; c <= kerneltest.MaxLength; c += 1 + c/80 {
			rows := 1 + c%3
			x, a, b := strided(h.Normal(rows*c, 2), c, c+2), h.Normal(c, 1), h.Normal(c, 1)
			dst := kerneltest.Out[float32](h, rows*c)
			Affine(dst, c, kerneltest.In(h, x), c+2, rows, kerneltest.In(h, a), kerneltest.In(h, b))
			h.Within("Affine", dst, func(i int) (float64, float64) {
				y := float64(x[i/c*(c+2)+i%c])*float64(a[i%c]) + float64(b[i%c])
				return y, math.Abs(y)*0x1p-24 + 0x1p-149
			})
			h.Check("Affine %d of %d", rows, c)
			io := kerneltest.InOut(h, x)
			Affine(io, c+2, io, c+2, rows, kerneltest.In(h, a), kerneltest.In(h, b))
			h.Check("Affine in place %d of %d", rows, c)
		}
	})
}

func TestMomentsAndAffineRefuse(t *testing.T) {
	x := make([]float32, 8)
	for name, f := range map[string]func(){
		"Moments rows":   func() { Moments(x[:4], x[:4], x, 4, 0) },
		"Moments short":  func() { Moments(x[:4], x[:4], x[:7], 4, 2) },
		"Moments square": func() { Moments(x[:4], x[:3], x, 4, 1) },
		"Affine shift":   func() { Affine(x[:4], 4, x[:4], 4, 1, x[:4], x[:3]) },
		"Affine short":   func() { Affine(x[:7], 4, x, 4, 2, x[:4], x[:4]) },
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

func BenchmarkMoments(b *testing.B) {
	for _, s := range [][2]int{{256, 128}, {256, 320}} {
		rows, c := s[0], s[1]
		x, sum, square := make([]float32, rows*c), make([]float32, c), make([]float32, c)
		kerneltest.Bench(b, "norm.Moments", fmt.Sprintf("T=%d/C=%d", rows, c), func(b *testing.B) {
			b.SetBytes(int64(4 * rows * c))
			for b.Loop() {
				Moments(sum, square, x, c, rows)
			}
		})
		kerneltest.Bench(b, "norm.Affine", fmt.Sprintf("T=%d/C=%d", rows, c), func(b *testing.B) {
			b.SetBytes(int64(8 * rows * c))
			for b.Loop() {
				Affine(x, c, x, c, rows, sum, square)
			}
		})
	}
}
