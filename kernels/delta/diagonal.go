package delta

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels"
)

// Diagonal is one call of [DiagonalRule] or [LowRankRule]. It extends the gated rule's call:
// Decay is [Tokens, KDim], and LowRankRule takes no Beta.
type Diagonal struct {
	Gated

	P       []float32 // what the state is read at before it is corrected, [Tokens, KDim]
	PStride int

	W       []float32 // of LowRankRule: where the correction goes, [Tokens, KDim]
	WStride int
}

// DiagonalRule runs the delta rule with a decay for each key over a's tokens, for each value
// column v
//
//	u = Σₖ S[k,v]·P[t,k]
//	d = β·(V[t,v] − u)
//	S[k,v] = a[t,k]·S[k,v] + K[t,k]·d
//	O[t,v] = Scale · Σₖ S[k,v]·Q[t,k]
//
// With P = a·K it is the decay S ← diag(a)·S followed by the delta rule of the decayed state.
// Sums, roundings, aliasing and panics are those of [GatedRule].
//
// Source: Kimi Team 2025, arXiv:2510.26692, equation 1.
func DiagonalRule(a *Diagonal) {
	a.check("delta.DiagonalRule")
	holds("delta.DiagonalRule", "Beta", len(a.Beta), a.Tokens, 1, a.BetaStride, 0)
	if a.Tokens > 0 && a.VDim > 0 {
		diagonalRule(a)
	}
}

// LowRankRule runs the recurrence whose transition is diagonal plus low rank over a's tokens, for
// each value column v
//
//	u = Σₖ S[k,v]·P[t,k]
//	S[k,v] = a[t,k]·S[k,v] − W[t,k]·u + K[t,k]·V[t,v]
//	O[t,v] = Scale · Σₖ S[k,v]·Q[t,k]
//
// the two products of the second line fused into the sum in this order. Everything else is as in
// [GatedRule].
//
// Source: Peng et al. 2025, arXiv:2503.14456, equation 17 (RWKV-7).
func LowRankRule(a *Diagonal) {
	a.check("delta.LowRankRule")
	holds("delta.LowRankRule", "W", len(a.W), a.Tokens, a.KDim, a.WStride, 0)
	if a.Tokens > 0 && a.VDim > 0 {
		lowRankRule(a)
	}
}

// check panics unless every access that both rules make is in range.
func (a *Diagonal) check(kernel string) {
	if a.Tokens < 0 || a.KDim < 0 || a.VDim < 0 {
		panic(fmt.Sprintf("%s: negative size: Tokens=%d, KDim=%d, VDim=%d", kernel, a.Tokens, a.KDim, a.VDim))
	}
	a.matrices(kernel)
	holds(kernel, "Decay", len(a.Decay), a.Tokens, a.KDim, a.DecayStride, 0)
	holds(kernel, "P", len(a.P), a.Tokens, a.KDim, a.PStride, 0)
}

func diagonalGeneric(a *Diagonal) {
	for t := range a.Tokens {
		p, k, q := a.P[t*a.PStride:][:a.KDim], a.K[t*a.KStride:][:a.KDim], a.Q[t*a.QStride:][:a.KDim]
		decay, beta := a.Decay[t*a.DecayStride:][:a.KDim], a.Beta[t*a.BetaStride]
		for v := range a.VDim {
			d := beta * (a.V[t*a.VStride+v] - a.readColumn(v, p))
			for i, ki := range k {
				s := &a.S[i*a.SStride+v]
				*s = kernels.FMA(ki, d, float32(decay[i]**s))
			}
			a.O[t*a.OStride+v] = a.Scale * a.readColumn(v, q)
		}
	}
}

func lowRankGeneric(a *Diagonal) {
	for t := range a.Tokens {
		p, k, q := a.P[t*a.PStride:][:a.KDim], a.K[t*a.KStride:][:a.KDim], a.Q[t*a.QStride:][:a.KDim]
		decay, w := a.Decay[t*a.DecayStride:][:a.KDim], a.W[t*a.WStride:][:a.KDim]
		for v := range a.VDim {
			u, x := a.readColumn(v, p), a.V[t*a.VStride+v]
			for i, ki := range k {
				s := &a.S[i*a.SStride+v]
				*s = kernels.FMA(ki, x, kernels.FMA(-w[i], u, float32(decay[i]**s)))
			}
			a.O[t*a.OStride+v] = a.Scale * a.readColumn(v, q)
		}
	}
}
