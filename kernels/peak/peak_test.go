package peak

import (
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

func TestPeak(t *testing.T) {
	kerneltest.All(t, "peak.FMA", func(h *kerneltest.H) {
		for n := range 10 {
			if fma, dot := FMA(n), Dot8(n); fma < 2*n || dot < 2*n || n == 0 && fma+dot != 0 {
				h.Errorf("%d rounds count as %d and %d operations", n, fma, dot)
			}
		}
		kerneltest.Lengths(func(n int) {
			Read(kerneltest.In(h, make([]byte, n)))
			h.Check("Read n=%d", n)
		})
	})
}

func BenchmarkFMA(b *testing.B) {
	kerneltest.Bench(b, "peak.FMA", "FMA", func(b *testing.B) { rate(b, FMA) })
}

func BenchmarkDot8(b *testing.B) {
	kerneltest.Bench(b, "peak.FMA", "Dot8", func(b *testing.B) { rate(b, Dot8) })
}

func rate(b *testing.B, f func(n int) int) {
	var ops int
	for b.Loop() {
		ops += f(10_000)
	}
	b.ReportMetric(float64(ops)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func BenchmarkRead(b *testing.B) {
	buf := make([]byte, 256<<20)
	for i := 0; i < len(buf); i += 4096 {
		buf[i] = 1
	}
	b.SetBytes(int64(len(buf)))
	for b.Loop() {
		Read(buf)
	}
}
