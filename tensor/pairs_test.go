package tensor

import (
	"math/rand/v2"
	"testing"
)

// TestPairsPrefix: columns are cut between pairs, and products have the bits of the columns packed by themselves.
func TestPairsPrefix(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	src := random(r, 37, 301)
	w := Pack(new(Arena), nil, FormatBF16Dot, src)
	for _, cols := range []int{2, 258, 300, 301} {
		x, cut := NewMat(7, cols), Tensor{Type: F32, Shape: []int{20, cols}}
		row := make([]float32, 301)
		for i := range 20 {
			src.Floats(row, i*301)
			for _, v := range row[:cols] {
				cut.Data = append(cut.Data, floatBytes(v)...)
			}
		}
		for i := range x.Data {
			x.Data[i] = float32(r.NormFloat64())
		}
		got, want := NewMat(7, 20), NewMat(7, 20)
		MatMul(&Workspace{}, got, x, w.Prefix(20, cols))
		MatMul(&Workspace{}, want, x, Pack(new(Arena), nil, FormatBF16Dot, cut))
		sameMat(t, "prefix", got, want)
	}
	defer func() {
		if recover() == nil {
			t.Error("a pair was cut")
		}
	}()
	w.Prefix(20, 299)
}
