package attn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/vec"
)

// Softmax is the state of one query's softmax over keys that come in blocks. It starts as
// [NewSoftmax]; the zero value is not ready.
//
// Source: Milakov and Gimelshein 2018, arXiv:1805.02867, algorithm 3.
type Softmax struct {
	Max float32 // the largest scaled score so far
	Sum float32 // Σ e^(score - Max) so far
}

// NewSoftmax returns the state before the first block.
func NewSoftmax() Softmax { return Softmax{Max: float32(math.Inf(-1))} }

// Step folds one block of raw dot products into the softmax and replaces them by weights.
//
//	m' = max(m, scale·max(scores)),  corr = e^(m - m')
//	scores ← e^(scores·scale - m'),  Sum ← Sum·corr + Σ scores
//
// The caller multiplies what it has accumulated by corr, 0 for the first block, before it adds
// the weighted values of this one, and divides by Sum after the last. scale must be positive. A
// score of -Inf is a masked key and gets the weight 0; the first block must hold at least one
// key that is not masked.
func (s *Softmax) Step(scores []float32, scale float32) (corr float32) {
	m := max(s.Max, float32(scale*vec.Max(scores)))
	corr = 1
	if m != s.Max { // the rarer case after the first few blocks
		c := [1]float32{s.Max - m}
		vec.Exp(c[:], c[:])
		corr = c[0]
	}
	s.Max, s.Sum = m, float32(s.Sum*corr)+vec.ExpSum(scores, scores, scale, m)
	return corr
}

// Merge folds the softmax over other keys into s and returns the factors of what was accumulated
// with each: those that bring both to the larger maximum. Both must have seen a key.
//
//	m' = max(m, t.m),  before = e^(m - m'),  now = e^(t.m - m')
//	Sum ← Sum·before + t.Sum·now
func (s *Softmax) Merge(t Softmax) (before, now float32) {
	m := max(s.Max, t.Max)
	f := [2]float32{s.Max - m, t.Max - m}
	vec.Exp(f[:], f[:])
	s.Max, s.Sum = m, float32(s.Sum*f[0])+float32(t.Sum*f[1])
	return f[0], f[1]
}
