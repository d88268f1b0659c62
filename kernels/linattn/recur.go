// Package linattn holds the recurrences of linear attention: states that decay and gather, and
// are read without a correction of what they hold.
//
// The state of a head is a matrix [K, V] whose columns never meet, so kernels put columns in
// SIMD lanes and callers may cut them over workers.
package linattn

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels"
)

// Axis says what a decay is a function of, beside the token.
type Axis uint8

// The axes of a decay.
const (
	PerToken Axis = iota // Decay [Tokens]: one for the whole state
	PerKey               // Decay [Tokens, KDim]: one for each row of the state
	PerValue             // Decay [Tokens, VDim]: one for each column
)

// Recurrence is one call of [Recur]: the tokens of one sequence for one head, or for some of its
// value columns. Row t of a matrix begins at t times its stride, in elements, so that a matrix may
// be a range of the columns of a wider one. An input whose stride is 0 has the same row at every token.
type Recurrence struct {
	O, Q, K, V                         []float32 // outputs [Tokens, VDim], queries and keys [Tokens, KDim], values [Tokens, VDim]
	OStride, QStride, KStride, VStride int

	Decay       []float32 // a = e^g, by Axis
	DecayStride int
	Axis        Axis

	// ReadFirst has the output read the state that the token finds instead of the one it leaves.
	// The decay must then be PerKey.
	ReadFirst bool

	S       []float32 // the state [KDim, VDim], read and written
	SStride int

	Tokens, KDim, VDim int
	Scale              float32 // of the outputs, usually KDim^-½
}

// Recur runs linear attention over a's tokens, for each value column v
//
//	S[k,v] ← a·S[k,v] + K[t,k]·V[t,v]
//	O[t,v] = Scale · Σₖ S[k,v]·Q[t,k]
//
// A constant decay is retention, decay 1 the linear attention without one, a decay for each key
// is gated linear attention; with ReadFirst the two lines change places, which is RWKV-6 without
// its bonus. Gated slot attention is two passes: one with PerValue, whose columns are the slots,
// and one with PerKey, whose keys are.
//
// The sum over k has two partial sums, one of the even and one of the odd k, accumulated by fused
// multiply-adds in sequence and added at the end; a·S and the product with Scale are rounded,
// everything else is fused. The bits depend neither on how a sequence is cut into calls nor on
// how columns are.
//
// O and S must not overlap each other or an input. Recur panics if a slice is too short for its
// shape, if rows of O or S would overlap, if a size or stride is negative, or if ReadFirst comes
// with another decay than one for each key.
//
// Sources: Katharopoulos et al. 2020, arXiv:2006.16236; Sun et al. 2023, arXiv:2307.08621; Yang
// et al. 2024, arXiv:2312.06635, equation 3; Peng et al. 2024, arXiv:2404.05892, equation 19.
func Recur(a *Recurrence) {
	a.check()
	if a.Tokens == 0 || a.VDim == 0 {
		return
	}
	recur(a)
}

// check panics unless every access of the kernels is in range.
func (a *Recurrence) check() {
	if a.Tokens < 0 || a.KDim < 0 || a.VDim < 0 {
		panic(fmt.Sprintf("linattn.Recur: negative size: Tokens=%d, KDim=%d, VDim=%d", a.Tokens, a.KDim, a.VDim))
	}
	if a.Axis > PerValue || a.ReadFirst && a.Axis != PerKey {
		panic(fmt.Sprintf("linattn.Recur: Axis=%d with ReadFirst=%v", a.Axis, a.ReadFirst))
	}
	const name = "linattn.Recur"
	holds(name, "O", len(a.O), a.Tokens, a.VDim, a.OStride, a.VDim)
	holds(name, "Q", len(a.Q), a.Tokens, a.KDim, a.QStride, 0)
	holds(name, "K", len(a.K), a.Tokens, a.KDim, a.KStride, 0)
	holds(name, "V", len(a.V), a.Tokens, a.VDim, a.VStride, 0)
	holds(name, "Decay", len(a.Decay), a.Tokens, a.decays(), a.DecayStride, 0)
	holds(name, "S", len(a.S), a.KDim, a.VDim, a.SStride, a.VDim)
}

// decays is the number of decays of a token.
func (a *Recurrence) decays() int { return [...]int{1, a.KDim, a.VDim}[a.Axis] }

// holds panics unless n elements hold a matrix [rows, width] whose stride is at least least.
func holds(kernel, name string, n, rows, width, stride, least int) {
	if rows == 0 {
		return
	}
	if rows > 1 && stride < least {
		panic(fmt.Sprintf("%s: %sStride=%d, want at least %d", kernel, name, stride, least))
	}
	// Divided, not multiplied, so that no product overflows.
	if n < width || rows > 1 && stride > (n-width)/(rows-1) {
		panic(fmt.Sprintf("%s: len(%s)=%d, too short for [%d, %d] with stride %d", kernel, name, n, rows, width, stride))
	}
}

func recurGeneric(a *Recurrence) {
	for t := range a.Tokens {
		q, k := a.Q[t*a.QStride:][:a.KDim], a.K[t*a.KStride:][:a.KDim]
		decay := a.Decay[t*a.DecayStride:][:a.decays()]
		for v := range a.VDim {
			x := a.V[t*a.VStride+v]
			var p [2]float32
			for i, ki := range k {
				s := &a.S[i*a.SStride+v]
				read := *s
				*s = kernels.FMA(ki, x, float32(decay[[...]int{0, i, v}[a.Axis]]*read))
				if !a.ReadFirst {
					read = *s
				}
				p[i&1] = kernels.FMA(read, q[i], p[i&1])
			}
			a.O[t*a.OStride+v] = a.Scale * (p[0] + p[1])
		}
	}
}
