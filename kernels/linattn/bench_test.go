package linattn

import (
	"fmt"
	"testing"
	"time"

	"github.com/mminfer/mminfer/internal/kerneltest"
	"github.com/mminfer/mminfer/kernels/peak"
)

// BenchmarkRecur counts five operations for each element of the state and token, three
// instructions of which two are fused: it cannot pass 5/6 of the peak.
func BenchmarkRecur(b *testing.B) {
	for i, k := range kinds {
		for _, s := range []struct{ heads, tokens, kdim, vdim int }{
			{1, 512, 128, 128}, {1, 512, 256, 512}, {1, 512, 64, 64}, // prefill
			{16, 1, 128, 128}, {64, 1, 128, 128}, {64, 1, 256, 512}, // decode: 1 MB, 4 MB, 32 MB of state
		} {
			name := fmt.Sprintf("form=%s/H=%d/T=%d/K=%d/V=%d", []string{"token", "key", "value", "read"}[i], s.heads, s.tokens, s.kdim, s.vdim)
			kerneltest.Bench(b, "linattn.Recur", name, func(b *testing.B) { benchRecur(b, k, s.heads, s.tokens, s.kdim, s.vdim) })
		}
	}
}

func benchRecur(b *testing.B, k kind, heads, tokens, kdim, vdim int) {
	fill := func(n int, values ...float32) []float32 {
		x := make([]float32, n)
		for i := range x {
			x[i] = values[i%len(values)]
		}
		return x
	}
	a := &Recurrence{
		O: fill(tokens*vdim, 0), OStride: vdim,
		Q: fill(tokens*kdim, 0.1, -0.2, 0.3), QStride: kdim,
		K: fill(tokens*kdim, 0.05, -0.04, 0.03, -0.02, 0.01), KStride: kdim,
		V: fill(tokens*vdim, 1, -2, 3, -4, 5, -6, 7), VStride: vdim,
		Axis: k.axis, ReadFirst: k.first,
		SStride: vdim, Tokens: tokens, KDim: kdim, VDim: vdim, Scale: 0.1,
	}
	a.DecayStride = a.decays()
	a.Decay = fill(tokens*a.decays(), 0.99)
	states := fill(heads*kdim*vdim, 1, -1)
	limit := fmaPeak()
	b.SetBytes(int64(8 * len(states))) // read and written once a call
	for b.Loop() {
		for h := range heads {
			a.S = states[h*kdim*vdim:][:kdim*vdim]
			Recur(a)
		}
	}
	rate := 5 * float64(len(states)) * float64(tokens) * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate/1e9, "GFLOP/s")
	b.ReportMetric(100*rate/limit, "%peak")
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
