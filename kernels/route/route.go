// Package route chooses: the largest of a row of logits, and the k largest with their weights.
//
// Both are plain Go over the reductions of package vec: an argmax is one vec.Max and the search
// of one block, and for the few dozen logits of a router insertion beats repeated maxima. On a
// tie the lower index comes first.
package route

import (
	"fmt"
	"math"

	"github.com/mminfer/mminfer/kernels/vec"
)

// block is the number of elements whose largest one is found at a time, so that only one block
// is read twice.
const block = 1024

// short is the length below which a plain loop is faster.
const short = 32

// ArgMax returns the index of the largest element, the lowest such index on a tie. NaN is
// skipped; without a number the result is -1.
func ArgMax(x []float32) int {
	if len(x) < short {
		i, _ := argMax(x)
		return i
	}
	best, at := float32(math.Inf(-1)), 0
	for i := 0; i < len(x); i += block {
		b := x[i:min(i+block, len(x))]
		m := vec.Max(b)
		if m != m {
			_, m = argMax(b)
		}
		if m > best {
			best, at = m, i
		}
	}
	for i := at; i < len(x); i++ {
		if x[i] == best {
			return i
		}
	}
	return -1
}

// argMax is the index and the value of the largest element, -1 and -Inf without a number.
func argMax(x []float32) (int, float32) {
	best, at := float32(math.Inf(-1)), -1
	for i, v := range x {
		if v > best || at < 0 && v == best {
			best, at = v, i
		}
	}
	return at, best
}

// TopK chooses the k largest of the first m logits of every row, in descending order, and
// weighs them by the softmax over the chosen.
//
// Shapes: index, weight [T, k]; logits [T, stride], of which the last row may end after m. NaN
// is chosen only where a row holds fewer than k numbers, and makes the row's weights NaN. It
// panics if k is not between 1 and m, stride < m, or the lengths disagree.
//
// Source: the routing of OpenSparseLLMs/MoM@033057c, whose order on ties is undefined.
func TopK(index []int32, weight, logits []float32, tokens, m, stride, k int) {
	check("TopK", index, weight, logits, tokens, m, stride, k)
	for t := range tokens {
		w := weight[t*k:][:k]
		largest(index[t*k:][:k], w, logits[t*stride:][:m])
		sum := vec.ExpSum(w, w, 1, w[0])
		for j := range w {
			w[j] /= sum
		}
	}
}

func check(name string, index []int32, weight, logits []float32, tokens, m, stride, k int) {
	if k < 1 || k > m || stride < m || tokens < 0 {
		panic(fmt.Sprintf("route.%s: %d of %d logits in rows of %d, tokens=%d", name, k, m, stride, tokens))
	}
	if len(index) != tokens*k || len(weight) != tokens*k || tokens > 0 && len(logits) < (tokens-1)*stride+m {
		panic(fmt.Sprintf("route.%s: len(index)=%d, len(weight)=%d, len(logits)=%d for %d tokens", name, len(index), len(weight), len(logits), tokens))
	}
}

// largest fills index and value with the len(index) largest of x by insertion.
func largest(index []int32, value, x []float32) {
	n := 0
	for i, v := range x {
		if n == len(index) && !(v > value[n-1]) || v != v {
			continue
		}
		if n < len(index) {
			n++
		}
		j := n - 1
		for ; j > 0 && v > value[j-1]; j-- {
			index[j], value[j] = index[j-1], value[j-1]
		}
		index[j], value[j] = int32(i), v
	}
	for i := 0; n < len(index); i++ {
		if x[i] != x[i] {
			index[n], value[n] = int32(i), x[i]
			n++
		}
	}
}
