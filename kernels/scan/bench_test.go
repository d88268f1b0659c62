package scan

import (
	"fmt"
	"testing"
	"time"

	"github.com/mminfer/mminfer/internal/kerneltest"
	"github.com/mminfer/mminfer/kernels/peak"
)

// BenchmarkSSDScan counts five operations for each entry of the state and token, in three
// instructions of which two are fused: the scan cannot pass 5/6 of the peak.
func BenchmarkSSDScan(b *testing.B) {
	for _, s := range []struct{ heads, tokens, p, n int }{
		{24, 512, 64, 128}, {1, 512, 64, 256}, {8, 512, 128, 16}, // prefill
		{24, 1, 64, 128}, {128, 1, 64, 128}, {1024, 1, 64, 128}, // decode: 768 KB, 4 MB, 32 MB of state
	} {
		name := fmt.Sprintf("H=%d/T=%d/P=%d/N=%d", s.heads, s.tokens, s.p, s.n)
		kerneltest.Bench(b, "scan.SSDScan", name, func(b *testing.B) {
			a := &SSD{
				Y: fill(s.tokens*s.p, 0), YStride: s.p, X: fill(s.tokens*s.p, 1, -2, 3, -4, 5), XStride: s.p,
				B: fill(s.tokens*s.n, 0.1, -0.2, 0.3), BStride: s.n, C: fill(s.tokens*s.n, 0.5, 0.4, -0.3, 0.2), CStride: s.n,
				Dt: fill(1, 0.5), Decay: fill(1, 0.9), D: fill(s.p, 1, -1), Tokens: s.tokens, P: s.p, N: s.n,
			}
			size := StateLen(s.p, s.n)
			states := fill(s.heads*size, 0)
			bench(b, s.heads*s.tokens*s.p*s.n, 5, len(states), func() {
				for h := range s.heads {
					a.S = states[h*size:][:size]
					SSDScan(a)
				}
			})
		})
	}
}

// BenchmarkSelectiveScan counts the eleven multiplications, fused or not, that an exponential and
// an update take as two operations each: the scan cannot pass the peak.
func BenchmarkSelectiveScan(b *testing.B) {
	for _, s := range []struct{ tokens, channels, n int }{{512, 64, 16}, {512, 1536, 16}, {1, 1536, 16}, {1, 5120, 16}} {
		name := fmt.Sprintf("T=%d/E=%d/N=%d", s.tokens, s.channels, s.n)
		kerneltest.Bench(b, "scan.SelectiveScan", name, func(b *testing.B) {
			a := &Selective{
				Y: fill(s.tokens*s.channels, 0), YStride: s.channels, X: fill(s.tokens*s.channels, 1, -2, 3, -4, 5), XStride: s.channels,
				Dt: fill(s.channels, 0.1, 0.2, 0.05), B: fill(s.tokens*s.n, 0.1, -0.2, 0.3), BStride: s.n,
				C: fill(s.tokens*s.n, 0.5, 0.4, -0.3, 0.2), CStride: s.n, D: fill(s.channels, 1, -1),
				A: fill(StateLen(s.channels, s.n), -1, -2, -3), S: fill(StateLen(s.channels, s.n), 0),
				Tokens: s.tokens, Channels: s.channels, N: s.n,
			}
			bench(b, s.tokens*s.channels*s.n, 22, 2*len(a.S), func() { SelectiveScan(a) })
		})
	}
}

// bench measures a call on so many entries of a state, each of so many operations, that moves
// floats to and fro.
func bench(b *testing.B, entries, ops, floats int, call func()) {
	limit := fmaPeak()
	b.SetBytes(int64(8 * floats))
	for b.Loop() {
		call()
	}
	rate := float64(ops) * float64(entries) * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(rate/1e9, "GFLOP/s")
	b.ReportMetric(100*rate/limit, "%peak")
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/float64(entries), "ns/entry")
}

func fill(n int, values ...float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = values[i%len(values)]
	}
	return x
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
