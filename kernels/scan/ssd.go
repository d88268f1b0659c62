package scan

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels"
)

// SSD is one call of [SSDScan]: the tokens of one sequence for one head of P channels. Row t of a
// matrix begins at t times its stride, in elements, so that a matrix may be a range of the columns
// of a wider one. An input whose stride is 0 has the same row at every token.
type SSD struct {
	Y, X             []float32 // outputs and inputs [Tokens, P]
	B, C             []float32 // what is written and what is read [Tokens, N]
	YStride, XStride int
	BStride, CStride int

	Dt, Decay             []float32 // Δ and e^(ΔA) of every token, [Tokens]
	DtStride, DecayStride int

	D []float32 // the skip of every channel, [P]
	S []float32 // the state, in panels, read and written

	Tokens, P, N int // P channels with N entries each
}

// SSDScan runs the state-space recurrence of one head over a's tokens, for each channel p
//
//	S[n,p] = Decay·S[n,p] + (Dt·X[t,p])·B[t,n]
//	Y[t,p] = Σₙ S[n,p]·C[t,n] + D[p]·X[t,p]
//
// Decay·S and Dt·X are rounded, everything else is fused. Y may be X exactly; Y and S must not
// otherwise overlap each other or an input. It panics if a slice is too short for its shape, if
// rows of Y would overlap, or if a size or stride is negative.
//
// Source: Dao and Gu 2024, arXiv:2405.21060, section 2; selective_state_update_ref in
// state-spaces/mamba@e9594ce1, mamba_ssm/ops/triton/selective_state_update.py.
func SSDScan(a *SSD) {
	a.check()
	if a.Tokens == 0 || a.P == 0 {
		return
	}
	ssd(a)
}

// check panics unless every access of the kernels is in range.
func (a *SSD) check() {
	if a.Tokens < 0 || a.P < 0 || a.N < 0 {
		panic(fmt.Sprintf("scan.SSDScan: negative size: Tokens=%d, P=%d, N=%d", a.Tokens, a.P, a.N))
	}
	holds("SSDScan: Y", len(a.Y), a.Tokens, a.P, a.YStride, a.P)
	holds("SSDScan: X", len(a.X), a.Tokens, a.P, a.XStride, 0)
	holds("SSDScan: B", len(a.B), a.Tokens, a.N, a.BStride, 0)
	holds("SSDScan: C", len(a.C), a.Tokens, a.N, a.CStride, 0)
	holds("SSDScan: Dt", len(a.Dt), a.Tokens, 1, a.DtStride, 0)
	holds("SSDScan: Decay", len(a.Decay), a.Tokens, 1, a.DecayStride, 0)
	holds("SSDScan: D", len(a.D), 1, a.P, 0, 0)
	panels("SSDScan: S", len(a.S), a.P, a.N)
}

func ssdGeneric(a *SSD) {
	for t := range a.Tokens {
		dt, decay := a.Dt[t*a.DtStride], a.Decay[t*a.DecayStride]
		b, c := a.B[t*a.BStride:][:a.N], a.C[t*a.CStride:][:a.N]
		for p := 0; p < a.P; p += Lanes {
			x, y := a.X[t*a.XStride:][p:min(p+Lanes, a.P)], a.Y[t*a.YStride:][p:]
			var dx, sum [Lanes]float32
			for i, v := range x {
				dx[i] = dt * v
			}
			s := a.S[p*a.N:][:a.N*Lanes]
			for n := range a.N {
				for i := range Lanes {
					h := &s[n*Lanes+i]
					*h = kernels.FMA(dx[i], b[n], float32(decay**h))
					sum[i] = kernels.FMA(*h, c[n], sum[i])
				}
			}
			for i, v := range x {
				y[i] = kernels.FMA(a.D[p+i], v, sum[i])
			}
		}
	}
}
