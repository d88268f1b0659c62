package route

import (
	"math"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// checkSoftmax compares with a stable sort and the softmax of all in float64: roundings as in
// checkTopK, the sum over m.
func checkSoftmax(h *kerneltest.H, logits []float32, tokens, m, k int) {
	h.Helper()
	index, weight := kerneltest.Out[int32](h, tokens*k), kerneltest.Out[float32](h, tokens*k)
	Softmax(index, weight, slices.Clone(logits), tokens, m, m, k)
	for t := range tokens {
		x := logits[t*m:][:m]
		o := order(x)
		var sum float64
		for _, v := range x {
			sum += math.Exp(float64(v) - float64(x[o[0]]))
		}
		for j := range k {
			if index[t*k+j] != int32(o[j]) {
				h.Fatalf("%s Softmax m=%d k=%d: chose %v, want %v", h.ISA, m, k, index[t*k:][:k], o[:k])
			}
		}
		h.Within("weight", weight[t*k:][:k], func(j int) (float64, float64) {
			a := float64(x[o[j]]) - float64(x[o[0]])
			y := math.Exp(a) / sum
			return y, y * (2*20 + 6 + float64(m/16+6)) * 0x1p-24
		})
	}
	h.Check("Softmax T=%d m=%d k=%d", tokens, m, k)
}

func TestSoftmax(t *testing.T) {
	kerneltest.All(t, "vec.ExpSum", func(h *kerneltest.H) {
		for m := 1; m <= 70; m++ {
			k := 1 + h.Rand.IntN(m)
			x := h.Normal(3*m, 2)
			checkSoftmax(h, x, 3, m, k)
			for i := range x { // many ties
				x[i] = float32(h.Rand.IntN(3))
			}
			checkSoftmax(h, x, 3, m, k)
		}
	})
}

// checkSigmoid chooses by sorting: groups by the sum of their two best, then experts.
func checkSigmoid(h *kerneltest.H, r Sigmoid, logits []float32, m, k int) {
	h.Helper()
	tokens := len(logits) / m
	index, weight := kerneltest.Out[int32](h, tokens*k), kerneltest.Out[float32](h, tokens*k)
	scores := slices.Clone(logits)
	r.TopK(index, weight, scores, make([]float32, m), tokens, m, m, k)
	for t := range tokens {
		choice := make([]float32, m)
		for i := range choice {
			choice[i] = scores[t*m+i] + r.Correction[i]
		}
		if r.Groups > 1 {
			n := m / r.Groups
			group := make([]float32, r.Groups)
			for g := range group {
				best := slices.Clone(choice[g*n : (g+1)*n])
				slices.Sort(best)
				group[g] = best[n-1]
				if n > 1 {
					group[g] += best[n-2]
				}
			}
			for _, g := range order(group)[r.TopGroups:] {
				for i := range n {
					choice[g*n+i] = -inf
				}
			}
		}
		o := order(choice)[:k]
		var sum float64
		for j, i := range o {
			if index[t*k+j] != int32(i) {
				h.Fatalf("%s %+v: chose %v, want %v", h.ISA, r, index[t*k:][:k], o)
			}
			sum += float64(scores[t*m+i])
		}
		h.Within("weight", weight[t*k:][:k], func(j int) (float64, float64) {
			s := 1 / (1 + math.Exp(-float64(logits[t*m+o[j]])))
			if r.Normalize {
				return s / sum, s / sum * float64(8+k) * 0x1p-24
			}
			return s, s * 8 * 0x1p-24
		})
	}
	h.Check("Sigmoid %+v m=%d k=%d", r, m, k)
}

func TestSigmoid(t *testing.T) {
	kerneltest.All(t, "vec.math", func(h *kerneltest.H) {
		for _, c := range []struct{ m, k, groups, top int }{
			{6, 2, 1, 1}, {1, 1, 0, 0}, {64, 8, 8, 4}, {12, 3, 4, 1}, {12, 5, 4, 2}, {20, 4, 20, 5}, {256, 8, 1, 1}, {12, 12, 3, 3},
		} {
			for _, normalize := range []bool{false, true} {
				r := Sigmoid{h.Normal(c.m, 0.5), c.groups, c.top, normalize}
				checkSigmoid(h, r, h.Normal(40*c.m, 1), c.m, c.k)
				clear(r.Correction)
				ties := make([]float32, 40*c.m)
				for i := range ties {
					ties[i] = float32(h.Rand.IntN(3))
				}
				checkSigmoid(h, r, ties, c.m, c.k)
			}
		}
	})
}

func TestSigmoidGroupsMustFit(t *testing.T) {
	for _, r := range []Sigmoid{{Correction: make([]float32, 5)}, {make([]float32, 6), 4, 1, false}, {make([]float32, 6), 3, 0, false}, {make([]float32, 6), 3, 4, false}, {make([]float32, 6), 3, 1, false}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v: no panic", r)
				}
			}()
			r.TopK(make([]int32, 3), make([]float32, 3), make([]float32, 6), make([]float32, 6), 1, 6, 6, 3)
		}()
	}
}
