package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// normals is a matrix whose rows lie apart, of numbers around a mean.
func normals(rng *rand.Rand, rows, cols int, mean float64) tensor.Mat {
	m := tensor.Mat{Rows: rows, Cols: cols, Stride: cols + 5, Data: make([]float32, rows*(cols+5))}
	for i := range m.Data {
		m.Data[i] = float32(rng.NormFloat64() + mean)
	}
	return m
}

func sameRows(t *testing.T, what string, got, want tensor.Mat) {
	t.Helper()
	for i := range want.Rows {
		for j, v := range want.Row(i) {
			if math.Float32bits(got.Row(i)[j]) != math.Float32bits(v) {
				t.Fatalf("%s: [%d %d] = %v, want %v", what, i, j, got.Row(i)[j], v)
			}
		}
	}
}

// TestGroupNorm: images of one block of pixels, of several, and of one pixel more, far from zero. A channel's sums err by less than
// a unit for each of a block's pixels, relative to sums about the block's first; a mean of 30 standard deviations leaves 30 units of x to x·a + b.
func TestGroupNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	pool := tensor.NewPool(3)
	defer pool.Close()
	for _, s := range []struct{ n, h, w, c, groups int }{{2, 5, 7, 12, 3}, {1, 16, 16, 40, 8}, {3, 257, 1, 6, 2}, {2, 31, 29, 200, 5}, {1, 1, 1, 8, 4}} {
		g := &GroupNorm{Groups: s.groups, Weight: normals(rng, 1, s.c, 1).Row(0), Bias: normals(rng, 1, s.c, 0).Row(0), Eps: 1e-5}
		x := Image{N: s.n, H: s.h, W: s.w, Mat: normals(rng, s.n*s.h*s.w, s.c, 30)}
		scale, shift := normals(rng, s.n, s.c, 0), normals(rng, s.n, s.c, 0)
		y := Image{N: s.n, H: s.h, W: s.w, Mat: tensor.NewMat(x.Rows, s.c)}
		g.Apply(y, x, Identity, scale, shift, &tensor.Workspace{})
		width := s.c / s.groups
		for n := range s.n {
			in, out := x.Sample(n), y.Sample(n)
			for group := range s.groups {
				var mean, variance float64
				count := float64(in.Rows * width)
				for p := range in.Rows {
					for _, v := range in.Row(p)[group*width : (group+1)*width] {
						mean += float64(v) / count
					}
				}
				for p := range in.Rows {
					for _, v := range in.Row(p)[group*width : (group+1)*width] {
						variance += (float64(v) - mean) * (float64(v) - mean) / count
					}
				}
				for p := range in.Rows {
					for c := group * width; c < (group+1)*width; c++ {
						a := float64(g.Weight[c]) / math.Sqrt(variance+g.Eps) * (1 + float64(scale.Row(n)[c]))
						b := float64(g.Bias[c])*(1+float64(scale.Row(n)[c])) + float64(shift.Row(n)[c])
						want := (float64(in.Row(p)[c])-mean)*a + b
						bound := 0x1p-24 * (math.Abs(a)*(3*math.Abs(mean)+256*4) + 3*math.Abs(b))
						if d := math.Abs(float64(out.Row(p)[c]) - want); !(d <= bound) {
							t.Fatalf("%+v: sample %d, pixel %d, channel %d: off by %.3g, bound %.3g", s, n, p, c, d, bound)
						}
					}
				}
			}
		}
		one := Image{N: 1, H: s.h, W: s.w, Mat: x.Sample(s.n - 1)}
		last := s.n - 1
		g.Apply(one, one, Identity, scale.Slice(last, s.n), shift.Slice(last, s.n), &tensor.Workspace{Pool: pool})
		sameRows(t, "alone, in place, 3 threads", one.Mat, y.Sample(last))
	}
}

// TestFullAttention: fewer keys than a page, than a segment, and more, for one query and many; every cache holds other keys than
// before. Weights err by the exponential's and the sum's few units for each page of 64 keys, values mix linearly.
func TestFullAttention(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	pool := tensor.NewPool(3)
	defer pool.Close()
	a := FullAttention{Heads: 3, Dim: 20}
	caches := a.NewCaches(2)
	width := a.Heads * a.Dim
	for _, s := range []struct{ queries, keys int }{{1, 1}, {5, 63}, {33, 300}, {1, 600}, {40, 64}, {7, 2}} {
		q, k, v := normals(rng, 2*s.queries, width, 0), normals(rng, 2*s.keys, width, 0), normals(rng, 2*s.keys, width, 0)
		o := tensor.NewMat(q.Rows, width)
		ws := &tensor.Workspace{Pool: pool}
		a.Fill(caches, k, v, ws)
		a.Attend(o, q, caches, ws)
		for row := range q.Rows {
			sample := row / s.queries
			for h := range a.Heads {
				part := func(m tensor.Mat, i int) []float32 { return m.Row(i)[h*a.Dim : (h+1)*a.Dim] }
				weights := make([]float64, s.keys)
				total := 0.0
				for j := range weights {
					dot := 0.0
					for i, x := range part(q, row) {
						dot += float64(x) * float64(part(k, sample*s.keys+j)[i])
					}
					weights[j] = math.Exp(dot / math.Sqrt(float64(a.Dim)))
					total += weights[j]
				}
				for i, got := range part(o, row) {
					want, magnitude := 0.0, 0.0
					for j, w := range weights {
						x := float64(part(v, sample*s.keys+j)[i])
						want, magnitude = want+w/total*x, magnitude+w/total*math.Abs(x)
					}
					if bound := 0x1p-24 * magnitude * float64(2*a.Dim+64+s.keys/16); !(math.Abs(float64(got)-want) <= bound) {
						t.Fatalf("%+v: row %d, head %d: %v, want %v ± %.2g", s, row, h, got, want, bound)
					}
				}
			}
		}
		alone, one := tensor.NewMat(s.queries, width), a.NewCaches(1)
		a.Fill(one, k.Slice(s.keys, 2*s.keys), v.Slice(s.keys, 2*s.keys), &tensor.Workspace{})
		a.Attend(alone, q.Slice(s.queries, 2*s.queries), one, &tensor.Workspace{})
		sameRows(t, "alone", alone, o.Slice(s.queries, 2*s.queries))
	}
}

// TestUpsample: a convolution reads repeated pixels as if they were written out.
func TestUpsample(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	x := Image{N: 2, H: 3, W: 4, Mat: normals(rng, 24, 5, 0)}
	up := x.Upsample(5, 8)
	full := Image{N: 2, H: 5, W: 8, Mat: tensor.NewMat(80, 5)}
	up.Expand(full)
	for i := range full.Rows {
		n, y, w := i/40, i/8%5, i%8
		for c, v := range full.Row(i) {
			if want := x.Row((n*3+y/2)*4 + w/2)[c]; v != want {
				t.Fatalf("pixel %d: %v, want %v", i, v, want)
			}
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("7 rows of 3: no panic")
		}
	}()
	x.Upsample(7, 8)
}
