package delta

import (
	"math"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// result is what the rule gives in float64, and how far float32 may be off.
type result struct {
	o, s           []float64 // [Tokens, VDim], [KDim, VDim]
	oBound, sBound []float64 // [Tokens, VDim], [VDim]: the Euclidean norm of a column's error
}

const eps = 0x1p-24

// reference runs the rule in float64 from a's state, with the given decays instead of a's if
// there are any.
//
// The errors of one column form a vector E. A step maps it by a(I − βkkᵀ), whose norm is
// |a|·max(1, |1−β|k|²|), and adds the roundings of the step, made on the computed state S+E: n
// in each sum, where a term passes ⌈K/2⌉ multiply-adds and one addition; one in a·u, β·, a·S
// and the update each; one in a and Scale, which may be rounded reals. Every operation may also lose
// 2⁻¹⁴⁹ to underflow.
func reference(a *Gated, decays []float64) *result {
	r := &result{
		o: make([]float64, a.Tokens*a.VDim), oBound: make([]float64, a.Tokens*a.VDim),
		s: make([]float64, a.KDim*a.VDim), sBound: make([]float64, a.VDim),
	}
	for k := range a.KDim {
		for v := range a.VDim {
			r.s[k*a.VDim+v] = float64(a.S[k*a.SStride+v])
		}
	}
	n := float64((a.KDim+1)/2 + 1)
	gamma, tiny := n*eps/(1-n*eps), float64(a.KDim+4)*0x1p-149
	for t := range a.Tokens {
		q, k := a.Q[t*a.QStride:][:a.KDim], a.K[t*a.KStride:][:a.KDim]
		decay, beta := float64(a.Decay[t*a.DecayStride]), float64(a.Beta[t*a.BetaStride])
		if decays != nil {
			decay = decays[t]
		}
		scale, nk, nq := float64(a.Scale), norm(k), norm(q)
		for v := range a.VDim {
			e := r.sBound[v]
			u, sum, ns := r.read(v, k)
			w := float64(a.V[t*a.VStride+v]) - decay*u
			d := beta * w
			for i, ki := range k {
				r.s[i*a.VDim+v] = decay*r.s[i*a.VDim+v] + float64(ki)*d
			}

			eu := gamma*(sum+nk*e) + tiny
			wBound := math.Abs(w) + decay*nk*e
			ew := decay*(eu*(1+eps)+eps*(math.Abs(u)+nk*e)) + tiny
			ew += eps * (wBound + ew)
			ed := beta*(ew*(1+eps)+eps*wBound) + tiny
			o, osum, ns1 := r.read(v, q)
			e = decay*math.Max(1, math.Abs(1-beta*nk*nk))*e + nk*ed + 2.1*eps*decay*(ns+e)
			e += eps*(ns1+e) + tiny
			r.sBound[v] = e

			r.o[t*a.VDim+v] = scale * o
			eo := nq*e + gamma*(osum+nq*e) + tiny
			r.oBound[t*a.VDim+v] = scale*(eo+2.1*eps*(math.Abs(o)+eo)) + tiny
		}
	}
	return r
}

// read returns the product of column v of the state with x, the sum of the products' magnitudes,
// and the column's norm.
func (r *result) read(v int, x []float32) (sum, magnitude, norm float64) {
	vdim := len(r.sBound)
	for k, xk := range x {
		s := r.s[k*vdim+v]
		sum += s * float64(xk)
		magnitude += math.Abs(s * float64(xk))
		norm += s * s
	}
	return sum, magnitude, math.Sqrt(norm)
}

func norm(x []float32) float64 {
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return math.Sqrt(s)
}

// check holds the outputs and the state of a finished call against r.
func (r *result) check(h *kerneltest.H, a *Gated) {
	h.Helper()
	for t := range a.Tokens {
		h.Within("O", a.O[t*a.OStride:][:a.VDim], func(v int) (float64, float64) {
			return r.o[t*a.VDim+v], r.oBound[t*a.VDim+v]
		})
	}
	for k := range a.KDim {
		h.Within("S", a.S[k*a.SStride:][:a.VDim], func(v int) (float64, float64) {
			return r.s[k*a.VDim+v], r.sBound[v]
		})
	}
}
