package norm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestCenter: the sum errs by less than a unit in the last place for each of its additions, the
// quotient and the difference by half of one each.
func TestCenter(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for d := 1; d < 80; d++ {
		x, y := make([]float32, 3*d), make([]float32, 3*d)
		for i := range x {
			x[i] = float32(rng.NormFloat64() + 3)
		}
		Center(y, x, d)
		for g := range 3 {
			var mean, magnitude float64
			for _, v := range x[g*d : (g+1)*d] {
				mean += float64(v) / float64(d)
				magnitude += math.Abs(float64(v)) / float64(d)
			}
			for i, v := range x[g*d : (g+1)*d] {
				want := float64(v) - mean
				if bound := 0x1p-24 * (float64(d/16+8)*magnitude + math.Abs(want)); !(math.Abs(float64(y[g*d+i])-want) <= bound) {
					t.Fatalf("d=%d: [%d] = %v, want %v ± %.2g", d, i, y[g*d+i], want, bound)
				}
			}
		}
		Center(x, x, d)
		for i := range x {
			if x[i] != y[i] {
				t.Fatalf("d=%d: in place [%d] = %v, want %v", d, i, x[i], y[i])
			}
		}
	}
}
