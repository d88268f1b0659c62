package gemm

import (
	"fmt"
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

func TestBF16Dot(t *testing.T) {
	kerneltest.All(t, "gemm.BF16Dot", func(h *kerneltest.H) {
		shapes(func(d Dims) {
			if !testing.Short() || d.Tokens*d.Rows*d.K <= 1<<17 { // pairs on an emulated machine
				checkBF16Dot(h, d, 1)
			}
		})
		for _, scale := range []float64{0x1p-64, 0x1p-63, 0x1p-75} { // products about the smallest normal number, and below
			for tokens := 1; tokens <= 7; tokens++ {
				checkBF16Dot(h, Dims{Tokens: tokens, Rows: 70, K: 31, DstStride: 71, XStride: 33, PanelK: 32}, scale)
			}
		}
		// Whatever bits there are, denormals, infinities and NaN among them; and few exponents, all near the limits.
		for range 3 {
			patterns := func(n int) []uint32 {
				x := make([]uint32, n)
				for i := range x {
					x[i] = h.Rand.Uint32()
				}
				return x
			}
			d := Dims{Tokens: 7, Rows: 64, K: 5, DstStride: 64, XStride: 5}
			product(h, d, h.Normal(d.Tokens*64, 1), patterns(d.Tokens*d.K), patterns(4*d.K*Rows), "patterns")
			near := func(n int) []uint32 {
				x := patterns(n)
				for i, v := range x {
					x[i] = v&0x807f807f | (52+v>>16&15)<<7 | (52+v>>23&15)<<23
				}
				return x
			}
			product(h, d, h.Normal(d.Tokens*64, 0x1p-126), near(d.Tokens*d.K), near(4*d.K*Rows), "near the limit")
		}
	})
}

// product runs the product on what dst was before, with add and without, and returns the sums of the latter.
func product(h *kerneltest.H, d Dims, before []float32, x, w []uint32, what string) (sums []float32) {
	h.Helper()
	for _, add := range []bool{true, false} {
		sums = kerneltest.InOut(h, before)
		BF16Dot(sums, kerneltest.In(h, x), kerneltest.In(h, w), d, add)
		h.Check("%s %+v add=%v", what, d, add)
	}
	return sums
}

func checkBF16Dot(h *kerneltest.H, d Dims, scale float64) {
	h.Helper()
	x, xv := pairsOf(h.Normal(2*d.Tokens*d.XStride, scale))
	w, wv := pairsOf(h.Normal(2*Panels(d.Rows)*d.PanelK*Rows, scale))
	before := h.Normal(d.Tokens*d.DstStride, 1)
	dst := product(h, d, before, x, w, fmt.Sprint("scale ", scale))
	h.Within(fmt.Sprintf("%+v", d), dst, func(i int) (float64, float64) {
		t, r := i/d.DstStride, i%d.DstStride
		if r >= d.Rows {
			return float64(before[i]), 0
		}
		var sum, abs float64
		for k := range d.K {
			for j := range 2 {
				p := float64(xv[2*(t*d.XStride+k)+j]) * float64(wv[2*(r/Rows*Rows*d.PanelK+k*Rows+r%Rows)+j])
				sum, abs = sum+p, abs+math.Abs(p)
			}
		}
		// Each of a run's steps may round, or flush, as may the additions of runs.
		return sum, float64(2*min(d.K, PairRun)+d.K/PairRun+2)*0x1p-24*abs + 2*float64(d.K)*0x1p-126
	})
}

// pairsOf truncates numbers to bfloat16, two in a pair, and returns the values that they hold.
func pairsOf(x []float32) (pairs []uint32, values []float32) {
	pairs, values = make([]uint32, len(x)/2), make([]float32, len(x))
	for i, v := range x {
		b := math.Float32bits(v) >> 16
		pairs[i/2] |= b << (16 * (i % 2))
		values[i] = math.Float32frombits(b << 16)
	}
	return pairs, values
}

// TestBF16DotRounding holds sums against results worked out by hand.
func TestBF16DotRounding(t *testing.T) {
	inf, nan, zero := float32(math.Inf(1)), float32(math.NaN()), float32(math.Copysign(0, -1))
	kerneltest.All(t, "gemm.BF16Dot", func(h *kerneltest.H) {
		for _, c := range []struct {
			name string
			w, x []float32 // columns in order
			want float32
		}{
			{"the upper product comes first", []float32{0, 1, -1, 0x1p-24}, []float32{0, 1, 1, 1}, 0},
			{"the product is not rounded", []float32{0x1.02p0, -0x1p0}, []float32{0x1.02p0, 0x1.04p0}, 0x1p-14},
			{"ties go to even", []float32{0, 1, 0x1p-24, 0x1p-23}, []float32{1, 1, 1, 1}, 1 + 0x1p-22},
			{"denormal weights are zeros", []float32{0x1p-127, -0x1p-133}, []float32{0x1p100, 0x1p100}, 0},
			{"denormal activations are zeros", []float32{0x1p100, 0x1p100}, []float32{0x1p-127, 0x1p-133}, 0},
			{"a denormal and infinity are no number", []float32{0x1p-127}, []float32{inf}, nan},
			{"results are flushed", []float32{0x1p-70}, []float32{0x1p-57}, 0},
			{"with their sign", []float32{-0x1p-70}, []float32{0x1p-57}, zero},
			{"in between, too", []float32{0x1p-63, 0x1p-64}, []float32{0x1p-63, 0x1p-63}, 0x1p-126},
			{"the smallest is not", []float32{0x1p-63}, []float32{0x1p-63}, 0x1p-126},
			{"half a unit below, rounded to 24 bits, is too small", []float32{-0x1p-75, 0x1p-63}, []float32{0x1p-75, 0x1p-63}, 0},
			{"a quarter is a tie", []float32{-0x1p-75, 0x1p-63}, []float32{0x1p-76, 0x1p-63}, 0x1p-126},
			{"a little more than a quarter is too small", []float32{-0x1.02p-75, 0x1p-63}, []float32{0x1p-76, 0x1p-63}, 0},
			{"the other sign", []float32{0x1.02p-75, -0x1p-63}, []float32{0x1p-76, 0x1p-63}, zero},
			{"overflow is infinite", []float32{0x1p100}, []float32{0x1p100}, inf},
			{"infinities of both signs", []float32{inf, inf}, []float32{1, -1}, nan},
		} {
			for tokens := 1; tokens <= 6; tokens++ {
				for _, rows := range []int{1, 64} {
					wide := make([]float32, (len(c.w)+1)/2*Rows*2*Panels(rows))
					x := make([]float32, tokens*(len(c.w)+1)/2*2)
					k := len(x) / 2 / tokens
					for i, v := range c.w {
						for r := range Panels(rows) * Rows {
							wide[2*(r/Rows*Rows*k+i/2*Rows+r%Rows)+i%2] = v
						}
						for t := range tokens {
							x[2*(t*k+i/2)+i%2] = c.x[i]
						}
					}
					px, _ := pairsOf(x)
					pw, _ := pairsOf(wide)
					d := Dims{Tokens: tokens, Rows: rows, K: k, DstStride: rows, XStride: k}
					for i, got := range product(h, d, make([]float32, tokens*rows), px, pw, c.name) {
						if math.Float32bits(got) != math.Float32bits(c.want) && !(got != got && c.want != c.want) {
							h.Fatalf("%s %s: element %d is %g, want %g", h.ISA, c.name, i, got, c.want)
						}
					}
				}
			}
		}
	})
}

func FuzzBF16Dot(f *testing.F) {
	f.Add(uint8(3), uint8(17), uint16(40), uint64(1))
	f.Fuzz(func(t *testing.T, tokens, rows uint8, k uint16, seed uint64) {
		d := Dims{Tokens: int(tokens % 16), Rows: int(rows), K: int(k % 600), DstStride: int(rows), XStride: int(k % 600), PanelK: int(k%600) + 1}
		kerneltest.All(t, "gemm.BF16Dot", func(h *kerneltest.H) {
			h.Reseed(seed)
			checkBF16Dot(h, d, math.Ldexp(1, -int(seed%80)))
		})
	})
}
