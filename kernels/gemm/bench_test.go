package gemm

import (
	"fmt"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
	"github.com/mminfer/mminfer/kernels/quant"
)

// One layer's worth of weights: larger than the caches, as in a model.
const (
	benchRows = 8192
	benchK    = 2048
)

func BenchmarkFloat(b *testing.B) {
	for _, f := range []string{"F32", "BF16", "F16", "BF16Dot"} {
		for _, tokens := range []int{1, 8, 120} {
			name := fmt.Sprintf("%s/tokens=%d", f, tokens)
			kerneltest.Bench(b, "gemm."+f, name, func(b *testing.B) { benchFloat(b, f, tokens) })
		}
	}
}

func benchFloat(b *testing.B, format string, tokens int) {
	d := Dims{Tokens: tokens, Rows: benchRows, K: benchK, DstStride: benchRows, XStride: benchK}
	dst, x := make([]float32, tokens*d.Rows), make([]float32, tokens*d.K)
	w32, w16, size := []float32(nil), []uint16(nil), 2
	pd, pairs := d, make([]uint32, tokens*d.K/2)
	pd.K, pd.XStride = d.K/2, d.XStride/2
	if format == "F32" {
		w32, size = make([]float32, d.Rows*d.K), 4
		for i := 0; i < len(w32); i += 512 {
			w32[i] = 1
		}
	} else {
		w16 = make([]uint16, d.Rows*d.K)
		for i := 0; i < len(w16); i += 512 {
			w16[i] = 1
		}
	}
	wp := make([]uint32, len(w16)/2)
	b.SetBytes(int64(d.Rows * d.K * size))
	for b.Loop() {
		switch format {
		case "BF16Dot":
			BF16Dot(dst, pairs, wp, pd, false)
		case "F32":
			F32(dst, x, w32, d, false)
		case "BF16":
			BF16(dst, x, w16, d, false)
		case "F16":
			F16(dst, x, w16, d, false)
		}
	}
	report(b, d)
}

func report(b *testing.B, d Dims) {
	ops := 2 * float64(d.Tokens) * float64(d.Rows) * float64(d.K) * float64(b.N)
	b.ReportMetric(ops/b.Elapsed().Seconds()/1e9, "GFLOP/s")
}

func BenchmarkQ8(b *testing.B) {
	for _, tokens := range []int{1, 8, 120} {
		kerneltest.Bench(b, "gemm.Q8", fmt.Sprintf("tokens=%d", tokens), func(b *testing.B) {
			d := Dims{Tokens: tokens, Rows: benchRows, K: benchK, DstStride: benchRows}
			dst, x := make([]float32, tokens*d.Rows), newRows8(tokens, d.K)
			w := make([]byte, Panels(d.Rows)*quant.Q8Size(d.K))
			for i := 0; i < len(w); i += 2048 {
				w[i] = 1
			}
			b.SetBytes(int64(len(w)))
			for b.Loop() {
				Q8(dst, x, w, d)
			}
			report(b, d)
		})
	}
}

func BenchmarkCode(b *testing.B) {
	for c := quant.Q4; c <= quant.Q6; c++ {
		for _, tokens := range []int{1, 8, 120} {
			kerneltest.Bench(b, "gemm.Code", fmt.Sprintf("format=%s/tokens=%d", []string{"q4", "q4l", "q5", "q6"}[c], tokens), func(b *testing.B) {
				d := Dims{Tokens: tokens, Rows: benchRows, K: benchK, DstStride: benchRows}
				dst, x := make([]float32, tokens*d.Rows), newRows8(tokens, d.K)
				w := make([]byte, Panels(d.Rows)*c.Size(d.K))
				for i := 0; i < len(w); i += 2048 {
					w[i] = 1
				}
				b.SetBytes(int64(len(w)))
				for b.Loop() {
					Code(c, dst, x, w, d)
				}
				report(b, d)
			})
		}
	}
}
