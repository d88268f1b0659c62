package quant

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// TestCache8 rounds blocks of all lengths and ranges: what comes back is within half a step, its largest
// code is 127, and it rounds to itself.
func TestCache8(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 200_000 {
		x := make([]float32, 1+i%Block)
		for j := range x {
			x[j] = float32(math.Ldexp(2*rng.Float64()-1, i%246-118))
		}
		if i%5 == 0 { // where the scale's rounding goes furthest, and where codes are halves
			x[0] = float32(math.Ldexp(127*(1+1/128.+float64(rng.IntN(3)-1)/256), i%246-125))
			x[i%len(x)] = x[0] * (float32(rng.IntN(255)-127) / 127.5)
		}
		top := float64(maxAbs(x))
		if top < 0x1p-118 {
			continue
		}
		q, again, wide := make([]int8, len(x)), make([]int8, len(x)), make([]float32, len(x))
		bits := Cache8(q, x)
		scale, most := float64(cacheScale(bits)), 0
		// Half a bit of the scale's eight, and float32's roundings of the division.
		if bound := top / 127 * (0x1p-8 + 0x1p-22); !(math.Abs(scale-top/127) <= bound) {
			t.Fatalf("scale %g for %g", scale, top)
		}
		for j, c := range q {
			wide[j] = float32(float64(c) * scale)
			most = max(most, int(c), -int(c))
			// Half a step, and three roundings of the quotient.
			if err, bound := math.Abs(float64(c)*scale-float64(x[j])), scale*(0.5+128*0x1p-22); float64(wide[j]) != float64(c)*scale || !(err <= bound) {
				t.Fatalf("%g became %d times %g, off by %g > %g", x[j], c, scale, err, bound)
			}
		}
		if most != 127 {
			t.Fatalf("largest code %d in %v of %v", most, q, x)
		}
		if s := Cache8(again, wide); s != bits || !slices.Equal(again, q) {
			t.Fatalf("%v times %#04x rounds to %v times %#04x", q, bits, again, s)
		}
	}
	for _, s := range kerneltest.Specials {
		q := []int8{9, 9}
		scale, finite := cacheScale(Cache8(q, []float32{s, 1})), max(s, -s) <= math.MaxFloat32
		if finite != (scale == scale) || !finite && (q[0] != 0 || q[1] != 0) {
			t.Errorf("%g beside 1: scale %g, codes %v", s, scale, q)
		}
	}
	// The scale is rounded to even.
	if a, b := Cache8([]int8{0}, []float32{127 * (1 + 1/256.)}), Cache8([]int8{0}, []float32{127 * (1 + 3/256.)}); a != 0x3f80 || b != 0x3f82 {
		t.Errorf("scales %#04x and %#04x", a, b)
	}
	if q := []int8{9}; Cache8(q, []float32{0x1p-120}) != 0 || q[0] != 0 {
		t.Error("a block below the scales is not zero")
	}
}

func TestCache8Widen(t *testing.T) {
	kerneltest.All(t, "quant.Cache8", func(h *kerneltest.H) {
		kerneltest.Lengths(func(n int) {
			q, scale := make([]int8, n*Rows), make([]uint16, max(n, Blocks(n)*Rows))
			for i := range q {
				q[i] = int8(h.Rand.IntN(256) - 128)
			}
			for i := range scale {
				scale[i] = uint16(h.Rand.Uint32())
			}
			rows, columns := kerneltest.Out[float32](h, n*Rows), kerneltest.Out[float32](h, n*Rows)
			CacheRows(rows, kerneltest.In(h, q), kerneltest.In(h, scale[:Blocks(n)*Rows]), n)
			CacheColumns(columns, kerneltest.In(h, q), kerneltest.In(h, scale[:n]), n)
			for i, c := range q {
				row, column := float64(cacheScale(scale[i/Rows/Block*Rows+i%Rows])), float64(cacheScale(scale[i/Rows]))
				if got, want := float64(rows[i]), float64(float32(float64(c)*row)); got != want && want == want {
					h.Fatalf("%d columns: element %d: %d times its row's %g is %g", n, i, c, row, got)
				}
				if got, want := float64(columns[i]), float64(float32(float64(c)*column)); got != want && want == want {
					h.Fatalf("%d columns: element %d: %d times its column's %g is %g", n, i, c, column, got)
				}
			}
			h.Check("%d columns", n)
		})
	})
}

func BenchmarkCache8(b *testing.B) {
	const panels, k = 2048, 128
	q, scale, dst := make([]int8, panels*k*Rows), make([]uint16, panels*k), make([]float32, k*Rows)
	for _, c := range []struct {
		name   string
		scales int
		widen  func([]float32, []int8, []uint16, int)
	}{{"rows", Blocks(k) * Rows, CacheRows}, {"columns", k, CacheColumns}} {
		kerneltest.Bench(b, "quant.Cache8", c.name, func(b *testing.B) {
			b.SetBytes(int64(len(q)))
			for b.Loop() {
				for i := range panels {
					c.widen(dst, q[i*k*Rows:], scale[i*c.scales:], k)
				}
			}
		})
	}
}
