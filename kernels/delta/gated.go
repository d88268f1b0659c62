// Package delta holds the delta-rule recurrences.
//
// The state of a head is a matrix [K, V]. A step reads it at the key, corrects what was found
// towards the value, and reads the result at the query. Columns of the state never meet, so
// kernels put columns in SIMD lanes and callers may cut them over workers.
package delta

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels"
)

// Gated is one call of [GatedRule]: the tokens of one sequence for one head, or for some of its
// value columns. Row t of a matrix begins at t times its stride, in elements, so that a matrix may
// be a range of the columns of a wider one. An input whose stride is 0 has the same row at every token.
type Gated struct {
	O, Q, K, V                         []float32 // outputs [Tokens, VDim], queries and keys [Tokens, KDim], values [Tokens, VDim]
	OStride, QStride, KStride, VStride int

	Decay, Beta             []float32 // a = e^g and β of every token, [Tokens]
	DecayStride, BetaStride int

	S       []float32 // the state [KDim, VDim], read and written
	SStride int

	Tokens, KDim, VDim int
	Scale              float32 // of the outputs, usually KDim^-½
}

// GatedRule runs the gated delta rule over a's tokens, for each value column v
//
//	u = Σₖ S[k,v]·K[t,k]
//	d = β·(V[t,v] − a·u)
//	S[k,v] = a·S[k,v] + K[t,k]·d
//	O[t,v] = Scale · Σₖ S[k,v]·Q[t,k]
//
// which is the decay S ← a·S followed by the delta rule of the decayed state. Decay 1 gives the
// delta rule without gate.
//
// Each sum over k has two partial sums, one of the even and one of the odd k, accumulated by fused
// multiply-adds in sequence and added at the end; a·S and the two products outside the sums are
// rounded, everything else is fused. The bits depend neither on how a sequence is cut into calls
// nor on how columns are.
//
// O and S must not overlap each other or an input. GatedRule panics if a slice is too short for
// its shape, if rows of O or S would overlap, or if a size or stride is negative.
//
// Source: Yang, Kautz, Hatamizadeh, "Gated Delta Networks", arXiv 2412.06464, equation 10.
func GatedRule(a *Gated) {
	a.check()
	if a.Tokens == 0 || a.VDim == 0 {
		return
	}
	gatedRule(a)
}

// check panics unless every access of the kernels is in range.
func (a *Gated) check() {
	if a.Tokens < 0 || a.KDim < 0 || a.VDim < 0 {
		panic(fmt.Sprintf("delta.GatedRule: negative size: Tokens=%d, KDim=%d, VDim=%d", a.Tokens, a.KDim, a.VDim))
	}
	a.matrices("delta.GatedRule")
	holds("delta.GatedRule", "Decay", len(a.Decay), a.Tokens, 1, a.DecayStride, 0)
	holds("delta.GatedRule", "Beta", len(a.Beta), a.Tokens, 1, a.BetaStride, 0)
}

// matrices panics unless every access to the matrices that all rules have is in range.
func (a *Gated) matrices(kernel string) {
	holds(kernel, "O", len(a.O), a.Tokens, a.VDim, a.OStride, a.VDim)
	holds(kernel, "Q", len(a.Q), a.Tokens, a.KDim, a.QStride, 0)
	holds(kernel, "K", len(a.K), a.Tokens, a.KDim, a.KStride, 0)
	holds(kernel, "V", len(a.V), a.Tokens, a.VDim, a.VStride, 0)
	holds(kernel, "S", len(a.S), a.KDim, a.VDim, a.SStride, a.VDim)
}

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

func gatedGeneric(a *Gated) {
	for t := range a.Tokens {
		q := a.Q[t*a.QStride:][:a.KDim]
		k := a.K[t*a.KStride:][:a.KDim]
		decay, beta := a.Decay[t*a.DecayStride], a.Beta[t*a.BetaStride]
		for v := range a.VDim {
			u := a.readColumn(v, k)
			d := beta * kernels.FMA(-decay, u, a.V[t*a.VStride+v])
			for i, ki := range k {
				s := &a.S[i*a.SStride+v]
				*s = kernels.FMA(ki, d, float32(decay**s))
			}
			a.O[t*a.OStride+v] = a.Scale * a.readColumn(v, q)
		}
	}
}

// readColumn returns the product of column v of the state with x [KDim].
func (a *Gated) readColumn(v int, x []float32) float32 {
	var p [2]float32
	for k, xk := range x {
		p[k&1] = kernels.FMA(a.S[k*a.SStride+v], xk, p[k&1])
	}
	return p[0] + p[1]
}
