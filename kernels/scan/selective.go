package scan

import (
	"fmt"
	"math"

	"github.com/mminfer/mminfer/kernels"
)

// Selective is one call of [SelectiveScan]: the tokens of one sequence for some channels. Row t of
// a matrix begins at t times its stride, in elements. An input whose stride is 0 has the same row
// at every token.
type Selective struct {
	Y, X, Dt                   []float32 // outputs, inputs and Δ [Tokens, Channels]
	B, C                       []float32 // what is written and what is read [Tokens, N]
	YStride, XStride, DtStride int
	BStride, CStride           int

	A []float32 // A·log₂e, A ≤ 0, in panels as the state
	D []float32 // the skip of every channel, [Channels]
	S []float32 // the state, in panels, read and written

	Tokens, Channels, N int // channels with N entries each
}

// SelectiveScan runs the selective scan over a's tokens, for each channel e
//
//	S[e,n] = 2^(Dt[t,e]·A[e,n])·S[e,n] + (Dt[t,e]·X[t,e])·B[t,n]
//	Y[t,e] = Σₙ S[e,n]·C[t,n] + D[e]·X[t,e]
//
// with one exponential for each token, channel and n, in two units in the last place and not
// below 2⁻¹²⁵. Dt·A, Dt·X and the write are rounded, the rest is fused. Dt must not be negative
// nor A positive. Y may be X exactly; Y and S must not otherwise overlap each other or an input.
// It panics if a slice is too short for its shape, if rows of Y would overlap, or if a size or
// stride is negative.
//
// Source: Gu and Dao 2023, arXiv:2312.00752, algorithm 2; selective_scan_ref in
// state-spaces/mamba@e9594ce1, mamba_ssm/ops/selective_scan_interface.py.
func SelectiveScan(a *Selective) {
	a.check()
	if a.Tokens == 0 || a.Channels == 0 {
		return
	}
	selective(a)
}

// check panics unless every access of the kernels is in range.
func (a *Selective) check() {
	if a.Tokens < 0 || a.Channels < 0 || a.N < 0 {
		panic(fmt.Sprintf("scan.SelectiveScan: negative size: Tokens=%d, Channels=%d, N=%d", a.Tokens, a.Channels, a.N))
	}
	holds("SelectiveScan: Y", len(a.Y), a.Tokens, a.Channels, a.YStride, a.Channels)
	holds("SelectiveScan: X", len(a.X), a.Tokens, a.Channels, a.XStride, 0)
	holds("SelectiveScan: Dt", len(a.Dt), a.Tokens, a.Channels, a.DtStride, 0)
	holds("SelectiveScan: B", len(a.B), a.Tokens, a.N, a.BStride, 0)
	holds("SelectiveScan: C", len(a.C), a.Tokens, a.N, a.CStride, 0)
	holds("SelectiveScan: D", len(a.D), 1, a.Channels, 0, 0)
	panels("SelectiveScan: A", len(a.A), a.Channels, a.N)
	panels("SelectiveScan: S", len(a.S), a.Channels, a.N)
}

func selectiveGeneric(a *Selective) {
	for t := range a.Tokens {
		b, c := a.B[t*a.BStride:][:a.N], a.C[t*a.CStride:][:a.N]
		for e := 0; e < a.Channels; e += Lanes {
			end := min(e+Lanes, a.Channels)
			x, y := a.X[t*a.XStride:][e:end], a.Y[t*a.YStride:][e:]
			var dt, dx, sum [Lanes]float32
			copy(dt[:], a.Dt[t*a.DtStride:][e:end])
			for i, v := range x {
				dx[i] = dt[i] * v
			}
			s, rate := a.S[e*a.N:][:a.N*Lanes], a.A[e*a.N:][:a.N*Lanes]
			for n := range a.N {
				for i := range Lanes {
					h := &s[n*Lanes+i]
					*h = kernels.FMA(exp2(dt[i]*rate[n*Lanes+i]), *h, float32(dx[i]*b[n]))
					sum[i] = kernels.FMA(*h, c[n], sum[i])
				}
			}
			for i, v := range x {
				y[i] = kernels.FMA(a.D[e+i], v, sum[i])
			}
		}
	}
}

// The constants of exp2, in the order of the rows of constants. The polynomial is 2ᶠ on [-½, ½]
// with the value 1 at 0, minimax in relative error, which is 0x1.7p-26 with rounded coefficients.
const (
	exp2Min   = -125
	exp2Round = 0x1.8p23 + 127 // added, it leaves the nearest whole number and the exponent's bias in the last bits
	exp2c6    = 0x1.470b48p-13
	exp2c5    = 0x1.5f7276p-10
	exp2c4    = 0x1.3b270ep-7
	exp2c3    = 0x1.c6ae72p-5
	exp2c2    = 0x1.ebfbe2p-3
	exp2c1    = 0x1.62e432p-1
)

// exp2 returns 2ᵗ for t ≤ 0, and 2⁻¹²⁵ below -125.
func exp2(t float32) float32 {
	if exp2Min > t {
		t = exp2Min
	}
	m := t + exp2Round
	f := t - (m - exp2Round)
	p := kernels.FMA(exp2c6, f, exp2c5)
	p = kernels.FMA(p, f, exp2c4)
	p = kernels.FMA(p, f, exp2c3)
	p = kernels.FMA(p, f, exp2c2)
	p = kernels.FMA(p, f, exp2c1)
	p = kernels.FMA(p, f, 1)
	return p * math.Float32frombits(math.Float32bits(m)<<23)
}
