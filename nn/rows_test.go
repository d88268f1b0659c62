package nn

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/tensor"
)

// unit is the largest relative error of one rounding to float32.
const unit = 0x1p-24

// wide returns columns of a wider random matrix, and a copy of them.
func wide(rng *rand.Rand, rows, cols int) (view, copied tensor.Mat) {
	m := tensor.NewMat(rows, cols+5)
	copy(m.Data, gaussian(rng, len(m.Data), 2))
	view, copied = m.Columns(3, 3+cols), tensor.NewMat(rows, cols)
	for i := range rows {
		copy(copied.Row(i), view.Row(i))
	}
	return view, copied
}

// rowShapes are few and many rows, in one part and in several.
var rowShapes = [][2]int{{0, 8}, {1, 1}, {3, 33}, {700, 128}, {2, 40_000}}

func TestRowOperations(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	pool := tensor.NewPool(3)
	defer pool.Close()
	silu := func(x float64) float64 { return x / (1 + math.Exp(-x)) }
	for _, s := range rowShapes {
		a, _ := wide(rng, s[0], s[1])
		b, _ := wide(rng, s[0], s[1])
		for name, op := range map[string]struct {
			run  func(dst, a, b tensor.Mat, ws *tensor.Workspace)
			want func(a, b float64) float64
			ulps float64 // of the result, beside one of the smallest number
		}{
			"add":     {func(dst, a, b tensor.Mat, ws *tensor.Workspace) { copyMat(dst, a); add(dst, b, ws) }, func(a, b float64) float64 { return a + b }, 0.5},
			"siluMul": {siluMul, func(a, b float64) float64 { return silu(a) * b }, 4},
		} {
			var first []float32
			for _, p := range []*tensor.Pool{nil, pool} {
				dst, _ := wide(rng, s[0], s[1])
				op.run(dst, a, b, &tensor.Workspace{Pool: p})
				var flat []float32
				for i := range s[0] {
					for j, got := range dst.Row(i) {
						want := op.want(float64(a.Row(i)[j]), float64(b.Row(i)[j]))
						if bound := 2*op.ulps*unit*math.Abs(want) + 0x1p-149; !(math.Abs(float64(got)-want) <= bound) {
							t.Fatalf("%s %v: [%d %d] = %v, want %v ± %.2g", name, s, i, j, got, want, bound)
						}
					}
					flat = append(flat, dst.Row(i)...)
				}
				if first == nil {
					first = flat
				}
				same(t, fmt.Sprintf("%s %v on %d threads", name, s, p.Threads()), flat, first)
			}
		}
	}
}

func copyMat(dst, src tensor.Mat) {
	for i := range src.Rows {
		copy(dst.Row(i), src.Row(i))
	}
}

// TestNorm compares with float64. The error of a sum of n squares is at most n+1 units, of which
// the root halves the effect; mean, epsilon, root, division and two products add 6.
func TestNorm(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	pool := tensor.NewPool(2)
	defer pool.Close()
	for _, s := range rowShapes {
		for _, groups := range []int{1, 3} {
			width := s[1]
			n := Norm{Weight: gaussian(rng, width, 1), Eps: 0.01}
			x, before := wide(rng, s[0], groups*width)
			n.Apply(x, x, &tensor.Workspace{Pool: pool}) // in place
			for i := range s[0] {
				for g := range groups {
					var sum float64
					for _, v := range before.Row(i)[g*width : (g+1)*width] {
						sum += float64(v) * float64(v)
					}
					rms := math.Sqrt(sum/float64(width) + float64(n.Eps))
					for j := range width {
						got := float64(x.Row(i)[g*width+j])
						want := float64(before.Row(i)[g*width+j]) / rms * float64(n.Weight[j])
						if bound := (float64(width+1)/2 + 6) * unit * math.Abs(want); !(math.Abs(got-want) <= bound) {
							t.Fatalf("%v: [%d %d] = %v, want %v ± %.2g", s, i, g*width+j, got, want, bound)
						}
					}
				}
			}
		}
	}
}

func TestBlock(t *testing.T) {
	w := newWeights(24)
	norm, after := Norm{Weight: w.vec(24), Eps: 1e-6}, Norm{Weight: w.vec(24), Eps: 1e-2}
	mlp := &SwiGLU{GateUp: w.linear(40, 24), Down: w.linear(24, 20)}
	w.p.Load(&w.arena, nil, nil)
	for _, b := range []Block{
		{Norm: norm, Mixer: mlp},
		{Mixer: mlp}, // without a norm the mixer sees the stream itself
		{Norm: norm, Mixer: mlp, Scale: 0.3},
		{Mixer: mlp, After: after},
		{Norm: norm, Mixer: mlp, Keep: 3.5, Scale: 1.25},
	} {
		x := tensor.NewMat(5, 24)
		copy(x.Data, gaussian(w.rng, len(x.Data), 1))
		u, y := tensor.NewMat(5, 24), tensor.NewMat(5, 24)
		copy(u.Data, x.Data)
		ws := new(tensor.Workspace)
		if b.Norm.Weight != nil {
			b.Norm.Apply(u, x, ws)
		}
		b.Mixer.Mix(y, u, nil, ws)
		if b.After.Weight != nil {
			b.After.Apply(y, y, ws)
		}
		for i := range y.Data {
			kept := x.Data[i]
			if b.Keep != 0 {
				kept = b.Keep * u.Data[i]
			}
			if b.Scale == 0 {
				y.Data[i] += kept
			} else {
				y.Data[i] = kernels.FMA(b.Scale, y.Data[i], kept)
			}
		}
		b.Apply(x, tensor.Mat{}, nil, ws)
		same(t, "block", x.Data, y.Data)
	}
}
