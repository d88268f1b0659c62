package route

import (
	"fmt"
	"math"

	"github.com/mminfer/mminfer/kernels/vec"
)

// Softmax chooses like [TopK], but weighs by the softmax over all m logits, which it overwrites.
//
// Source: MoE routing of Jamba, JambaSparseMoeBlock in huggingface/transformers.
func Softmax(index []int32, weight, logits []float32, tokens, m, stride, k int) {
	check("Softmax", index, weight, logits, tokens, m, stride, k)
	for t := range tokens {
		w, x := weight[t*k:][:k], logits[t*stride:][:m]
		largest(index[t*k:][:k], w, x)
		sum := vec.ExpSum(x, x, 1, w[0])
		for j := range w {
			w[j] = x[index[t*k+j]] / sum
		}
	}
}

// Sigmoid are the rules of a router that scores every expert by itself.
type Sigmoid struct {
	Correction []float32 // added to the scores for the choice alone, [m]
	Groups     int       // of experts, equally many in each; at most 1 for none
	TopGroups  int       // groups that are chosen from: those whose two best sum to the most
	Normalize  bool      // weights are divided by their sum
}

// TopK scores the first m logits of every row by their sigmoid, which overwrites them, chooses the
// k largest of score + correction, in descending order, and weighs them by their scores. Shapes
// and NaN are those of [TopK]; scratch is [m]. It panics if the groups are not equally large.
//
// Source: DeepSeek-AI 2024, arXiv:2412.19437, section 2.1.2; DeepseekV3TopkRouter in
// huggingface/transformers.
func (r *Sigmoid) TopK(index []int32, weight, logits, scratch []float32, tokens, m, stride, k int) {
	check("Sigmoid.TopK", index, weight, logits, tokens, m, stride, k)
	if len(scratch) != m || len(r.Correction) != m || r.Groups > 1 && (m%r.Groups != 0 || r.TopGroups < 1 || r.TopGroups > r.Groups || k > m/r.Groups*r.TopGroups) {
		panic(fmt.Sprintf("route.Sigmoid.TopK: %d of %d experts, %d of %d groups, len(scratch)=%d, len(correction)=%d", k, m, r.TopGroups, r.Groups, len(scratch), len(r.Correction)))
	}
	for t := range tokens {
		i, w, x := index[t*k:][:k], weight[t*k:][:k], logits[t*stride:][:m]
		vec.Sigmoid(x, x)
		vec.Add(scratch, x, r.Correction)
		if r.Groups > 1 {
			r.mask(scratch)
		}
		largest(i, w, scratch)
		var sum float32
		for j := range w {
			w[j] = x[i[j]]
			sum += w[j]
		}
		for j := range w {
			if r.Normalize {
				w[j] /= sum + 1e-20
			}
		}
	}
}

// mask makes the choices of all but the best groups -Inf.
func (r *Sigmoid) mask(choice []float32) {
	n := len(choice) / r.Groups
	score := func(g int) float32 {
		best, second := float32(math.Inf(-1)), float32(math.Inf(-1))
		for _, v := range choice[g*n : (g+1)*n] {
			if v > best {
				best, second = v, best
			} else if v > second {
				second = v
			}
		}
		if n == 1 {
			return best
		}
		return best + second
	}
	for left := r.Groups - r.TopGroups; left > 0; left-- {
		worst, at := float32(math.Inf(1)), -1
		for g := range r.Groups {
			if s := score(g); !math.IsInf(float64(choice[g*n]), -1) && s <= worst {
				worst, at = s, g // of equals the last goes first
			}
		}
		for i := range n {
			if at >= 0 {
				choice[at*n+i] = float32(math.Inf(-1))
			}
		}
	}
}
