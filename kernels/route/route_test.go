package route

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

var (
	nan  = float32(math.NaN())
	inf  = float32(math.Inf(1))
	zero = float32(math.Copysign(0, -1))
)

// order lists the indexes of x as TopK must: descending, ties by index, NaN last.
func order(x []float32) []int {
	index := make([]int, len(x))
	for i := range index {
		index[i] = i
	}
	slices.SortStableFunc(index, func(i, j int) int {
		a, b := x[i], x[j]
		switch {
		case a > b || a == a && b != b:
			return -1
		case b > a || b == b && a != a:
			return 1
		}
		return 0
	})
	return index
}

func checkArgMax(h *kerneltest.H, x []float32) {
	h.Helper()
	want := -1
	for i, v := range x {
		if v == v && (want < 0 || v > x[want]) {
			want = i
		}
	}
	if got := ArgMax(kerneltest.In(h, x)); got != want {
		h.Fatalf("%s ArgMax n=%d: got %d, want %d", h.ISA, len(x), got, want)
	}
	h.Check("ArgMax n=%d", len(x))
}

func TestArgMax(t *testing.T) {
	kerneltest.All(t, "vec.Max", func(h *kerneltest.H) {
		kerneltest.Lengths(func(n int) {
			x := h.Normal(n, 1)
			checkArgMax(h, x)
			for i := range x { // many ties
				x[i] = float32(h.Rand.IntN(3))
			}
			checkArgMax(h, x)
			for range n {
				x[h.Rand.IntN(n)] = []float32{nan, -inf, zero, 2}[h.Rand.IntN(4)]
			}
			checkArgMax(h, x)
			checkArgMax(h, slices.Repeat([]float32{nan}, n))
			checkArgMax(h, slices.Repeat([]float32{-inf}, n))
			checkArgMax(h, slices.Repeat([]float32{nan, -inf}, n))
			checkArgMax(h, slices.Repeat([]float32{zero, 0}, n))
		})
		x := h.Normal(150_000, 1)
		checkArgMax(h, x)
		for _, at := range []int{149_999, 3 * block, 3*block - 1, 0} { // each ties with the one before it
			x[at] = 9
			checkArgMax(h, x)
		}
		x[5], x[block+1] = nan, nan
		checkArgMax(h, x)
	})
}

// checkTopK compares with a stable sort and the softmax in float64. An exponent's argument is
// rounded once, an exponential is within 1.5 ulps, the sum takes k/16 + 4 additions.
func checkTopK(h *kerneltest.H, logits []float32, tokens, m, stride, k int) {
	h.Helper()
	index, weight := kerneltest.Out[int32](h, tokens*k), kerneltest.Out[float32](h, tokens*k)
	TopK(index, weight, kerneltest.In(h, logits), tokens, m, stride, k)
	for t := range tokens {
		x := logits[t*stride:][:m]
		o := order(x)[:k]
		for j, i := range o {
			if index[t*k+j] != int32(i) {
				h.Fatalf("%s TopK m=%d k=%d token %d: chose %v, want %v", h.ISA, m, k, t, index[t*k:][:k], o)
			}
		}
		var sum, slack float64
		for _, i := range o {
			a := float64(x[i]) - float64(x[o[0]])
			sum += math.Exp(a)
			slack += math.Exp(a) * min(-a, 104)
		}
		h.Within("weight", weight[t*k:][:k], func(j int) (float64, float64) {
			a := float64(x[o[j]]) - float64(x[o[0]])
			y := math.Exp(a) / sum
			return y, y*(min(-a, 104)+slack/sum+6+float64(k/16+6))*0x1p-24 + 0x1p-149
		})
		if k == 1 && x[o[0]] == x[o[0]] && weight[t] != 1 {
			h.Fatalf("%s TopK k=1: weight %g", h.ISA, weight[t])
		}
	}
	h.Check("TopK T=%d m=%d k=%d", tokens, m, k)
}

func TestTopK(t *testing.T) {
	kerneltest.All(t, "vec.ExpSum", func(h *kerneltest.H) {
		checkTopK(h, nil, 0, 4, 4, 2)
		for m := 1; m <= 12; m++ {
			for k := 1; k <= m; k++ {
				x := h.Normal(6*(m+1)-1, 2)
				checkTopK(h, x, 6, m, m+1, k)
				for i := range x { // many ties
					x[i] = float32(h.Rand.IntN(3))
				}
				checkTopK(h, x, 6, m, m+1, k)
				x[h.Rand.IntN(len(x))], x[h.Rand.IntN(len(x))] = nan, nan
				checkTopK(h, x, 6, m, m+1, k)
			}
		}
		kerneltest.Lengths(func(n int) {
			if n > 0 {
				checkTopK(h, h.Normal(n, 3), 1, n, n, 1+h.Rand.IntN(n))
			}
		})
		checkTopK(h, []float32{-inf, 3, -inf, 100}, 1, 4, 4, 4)
		checkTopK(h, h.Normal(64*256, 1), 64, 256, 256, 8)
	})
}

func TestShapesMustAgree(t *testing.T) {
	i, f := func(n int) []int32 { return make([]int32, n) }, func(n int) []float32 { return make([]float32, n) }
	for name, call := range map[string]func(){
		"k":      func() { TopK(i(5), f(5), f(4), 1, 4, 4, 5) },
		"k zero": func() { TopK(nil, nil, f(4), 1, 4, 4, 0) },
		"stride": func() { TopK(i(2), f(2), f(4), 1, 4, 3, 2) },
		"index":  func() { TopK(i(1), f(2), f(4), 1, 4, 4, 2) },
		"weight": func() { TopK(i(2), f(1), f(4), 1, 4, 4, 2) },
		"logits": func() { TopK(i(4), f(4), f(8), 2, 4, 5, 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			call()
		}()
	}
}

func FuzzRoute(f *testing.F) {
	f.Add(uint8(3), uint8(8), uint8(2), uint16(2000), uint64(1))
	f.Fuzz(func(t *testing.T, tokens, m, k uint8, n uint16, seed uint64) {
		kerneltest.All(t, "vec.Max", func(h *kerneltest.H) {
			h.Reseed(seed)
			checkArgMax(h, h.Patterns(int(n%5000)))
		})
		kerneltest.All(t, "vec.ExpSum", func(h *kerneltest.H) {
			h.Reseed(seed)
			tokens, m := int(tokens%8), int(m)+1
			k := int(k)%m + 1
			index, weight := kerneltest.Out[int32](h, tokens*k), kerneltest.Out[float32](h, tokens*k)
			TopK(index, weight, kerneltest.In(h, h.Patterns(tokens*m)), tokens, m, m, k)
			h.Check("TopK")
		})
	})
}

func BenchmarkRoute(b *testing.B) {
	x := make([]float32, 151_936)
	for i := range x {
		x[i] = float32(i * 7919 % 10007)
	}
	for _, n := range []int{4, 128, len(x)} {
		kerneltest.Bench(b, "vec.Max", fmt.Sprintf("ArgMax/n=%d", n), func(b *testing.B) {
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				ArgMax(x[:n])
			}
		})
	}
	for _, s := range [][2]int{{4, 2}, {8, 2}, {128, 8}} {
		const tokens = 64
		m, k := s[0], s[1]
		index, weight := make([]int32, tokens*k), make([]float32, tokens*k)
		kerneltest.Bench(b, "vec.ExpSum", fmt.Sprintf("TopK/T=%d/m=%d/k=%d", tokens, m, k), func(b *testing.B) {
			for b.Loop() {
				TopK(index, weight, x, tokens, m, m, k)
			}
		})
	}
}
