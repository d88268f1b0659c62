package delta

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mminfer/mminfer/internal/kerneltest"
	"github.com/mminfer/mminfer/kernels/peak"
)

// BenchmarkGatedRule counts seven operations for each element of the state and token, four
// instructions of which three are fused: the rule cannot pass 7/8 of the peak.
func BenchmarkGatedRule(b *testing.B) {
	for _, s := range []struct{ heads, tokens, kdim, vdim int }{
		{1, 512, 128, 128}, {1, 512, 256, 256}, {1, 512, 32, 32}, // prefill
		{1, 1, 32, 32}, {64, 1, 128, 128}, {16, 1, 256, 256}, {256, 1, 256, 256}, // decode: 4 KB, 4 MB, 4 MB, 64 MB of state
	} {
		name := fmt.Sprintf("H=%d/T=%d/K=%d/V=%d", s.heads, s.tokens, s.kdim, s.vdim)
		kerneltest.Bench(b, "delta.GatedRule", name, func(b *testing.B) {
			benchGatedRule(b, s.heads, s.tokens, s.kdim, s.vdim)
		})
	}
}

func benchGatedRule(b *testing.B, heads, tokens, kdim, vdim int) {
	fill := func(n int, values ...float32) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = values[i%len(values)]
		}
		return x
	}
	a := &Gated{
		O: fill(tokens*vdim, 0), OStride: vdim,
		Q: fill(tokens*kdim, 0.1, -0.2, 0.3), QStride: kdim,
		K: fill(tokens*kdim, 0.05, -0.04, 0.03, -0.02, 0.01), KStride: kdim,
		V: fill(tokens*vdim, 1, -2, 3, -4, 5, -6, 7), VStride: vdim,
		Decay: fill(1, 0.99), Beta: fill(1, 0.5),
		SStride: vdim, Tokens: tokens, KDim: kdim, VDim: vdim, Scale: 0.1,
	}
	states := fill(heads*kdim*vdim, 1, -1)
	limit := fmaPeak()
	b.SetBytes(int64(8 * len(states))) // read and written once a call
	for b.Loop() {
		for h := range heads {
			a.S = states[h*kdim*vdim:][:kdim*vdim]
			GatedRule(a)
		}
	}
	rate := 7 * float64(len(states)) * float64(tokens) * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate/1e9, "GFLOP/s")
	b.ReportMetric(100*rate/limit, "%peak")
}

// BenchmarkDiagonalRules counts seven operations for each element of the state and token, in four
// instructions, and nine in five with a low rank.
func BenchmarkDiagonalRules(b *testing.B) {
	for i, r := range rules {
		for _, s := range []struct{ heads, tokens, kdim, vdim int }{
			{1, 512, 128, 128}, {1, 512, 64, 64}, {1, 1, 64, 64}, {64, 1, 64, 64}, {64, 1, 128, 128},
		} {
			name := fmt.Sprintf("H=%d/T=%d/K=%d/V=%d", s.heads, s.tokens, s.kdim, s.vdim)
			kerneltest.Bench(b, r.kernel, r.kernel+"/"+name, func(b *testing.B) {
				fill := func(n int, v float32) []float32 { return slices.Repeat([]float32{v, -v / 2, v / 3}, n/3+1)[:n] }
				keys := func() []float32 { return fill(s.tokens*s.kdim, 0.05) }
				a := &Diagonal{
					Gated: Gated{
						O: fill(s.tokens*s.vdim, 0), Q: keys(), K: keys(), V: fill(s.tokens*s.vdim, 1),
						OStride: s.vdim, QStride: s.kdim, KStride: s.kdim, VStride: s.vdim,
						Decay: fill(s.tokens*s.kdim, 0.9), DecayStride: s.kdim, Beta: []float32{0.5},
						SStride: s.vdim, Tokens: s.tokens, KDim: s.kdim, VDim: s.vdim, Scale: 0.1,
					},
					P: keys(), PStride: s.kdim, W: keys(), WStride: s.kdim,
				}
				states := fill(s.heads*s.kdim*s.vdim, 1)
				limit := fmaPeak()
				b.SetBytes(int64(8 * len(states)))
				for b.Loop() {
					for h := range s.heads {
						a.S = states[h*s.kdim*s.vdim:][:s.kdim*s.vdim]
						r.run(a)
					}
				}
				rate := []float64{7, 9}[i] * float64(len(states)) * float64(s.tokens) * float64(b.N) / b.Elapsed().Seconds()
				b.ReportMetric(rate/1e9, "GFLOP/s")
				b.ReportMetric(100*rate/limit, "%peak")
			})
		}
	}
}

// fmaPeak measures the operations per second of independent fused multiply-adds, the best of ten
// runs of some 0.1 ms.
func fmaPeak() float64 {
	best := 0.0
	for range 10 {
		start := time.Now()
		ops := peak.FMA(60_000)
		best = max(best, float64(ops)/time.Since(start).Seconds())
	}
	return best
}
