package linattn

import "github.com/mminfer/mminfer/kernels"

// Gate is one call of [Scan]. Row t of a matrix begins at t times its stride, in elements.
type Gate struct {
	O, F, X                   []float32 // outputs, decays and inputs [Tokens, Channels]
	OStride, FStride, XStride int
	H                         []float32 // the state [Channels], read and written
	Tokens, Channels          int
}

// Scan runs the elementwise gated recurrence over a's tokens,
//
//	H[c] ← F[t,c]·H[c] + X[t,c],  O[t,c] = H[c]
//
// fused. O may be F or X exactly, and must not overlap them otherwise. It panics if a slice is
// too short for its shape, or if rows of O would overlap.
//
// Source: Qin, Yang, Zhong 2023, arXiv:2311.04823, section 3.2 (HGRN).
func Scan(a *Gate) {
	const name = "linattn.Scan"
	holds(name, "O", len(a.O), a.Tokens, a.Channels, a.OStride, a.Channels)
	holds(name, "F", len(a.F), a.Tokens, a.Channels, a.FStride, 0)
	holds(name, "X", len(a.X), a.Tokens, a.Channels, a.XStride, 0)
	holds(name, "H", len(a.H), 1, a.Channels, 0, 0)
	if a.Tokens > 0 && a.Channels > 0 {
		scan(a)
	}
}

func scanGeneric(a *Gate) {
	for t := range a.Tokens {
		for c := range a.Channels {
			a.H[c] = kernels.FMA(a.F[t*a.FStride+c], a.H[c], a.X[t*a.XStride+c])
			a.O[t*a.OStride+c] = a.H[c]
		}
	}
}
