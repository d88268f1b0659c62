package gemm

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
	"github.com/mminfer/mminfer/kernels/quant"
)

// TestCache holds products with codes to those with the numbers that they stand for.
func TestCache(t *testing.T) {
	kerneltest.All(t, "gemm.Cache", func(h *kerneltest.H) {
		wide := make([]float32, CacheRoom)
		shapes(func(d Dims) {
			for _, values := range []bool{false, true} {
				codes, scale, w := randomCache(h, d, values)
				x, before := h.Normal(d.Tokens*d.XStride, 1), h.Normal(d.Tokens*d.DstStride, 1)
				product := Keys
				if values {
					product = Values
				}
				for _, add := range []bool{false, true} {
					want := append([]float32(nil), before...)
					F32(want, x, w, d, add)
					dst := kerneltest.InOut(h, before)
					product(dst, kerneltest.In(h, x), kerneltest.In(h, codes), kerneltest.In(h, scale), wide, d, add)
					for i := range want {
						if math.Float32bits(dst[i]) != math.Float32bits(want[i]) {
							h.Fatalf("%+v values=%v add=%v: element %d is %g, want %g", d, values, add, i, dst[i], want[i])
						}
					}
					h.Check("%+v values=%v add=%v", d, values, add)
				}
			}
		})
	})
}

// randomCache returns codes, their scales, and the numbers that they stand for.
func randomCache(h *kerneltest.H, d Dims, values bool) (codes []int8, scale []uint16, w []float32) {
	codes = make([]int8, Panels(d.Rows)*d.PanelK*Rows)
	scale = make([]uint16, Panels(d.Rows)*quant.Blocks(d.PanelK)*Rows)
	if values {
		scale = make([]uint16, quant.Blocks(d.Rows)*d.PanelK)
	}
	for i := range scale {
		scale[i] = 0x3f00 + uint16(h.Rand.IntN(0x100))
	}
	w = make([]float32, len(codes))
	for i := range w {
		panel, k, r := i/Rows/d.PanelK, i/Rows%d.PanelK, i%Rows
		at := (panel*quant.Blocks(d.PanelK)+k/quant.Block)*Rows + r
		if values {
			at = panel*Rows/quant.Block*d.PanelK + k
		}
		codes[i] = int8(h.Rand.IntN(256) - 128)
		w[i] = float32(codes[i]) * math.Float32frombits(uint32(scale[at])<<16)
	}
	return codes, scale, w
}

func TestCacheRefuses(t *testing.T) {
	d := Dims{Tokens: 1, Rows: 40, K: 30, DstStride: 40, XStride: 30, PanelK: 33}
	const all = 3 * 33 * Rows
	refused := func(product func(dst, x []float32, codes []int8, scale []uint16, wide []float32, d Dims, add bool), codes, scales, wide int) (refused bool) {
		defer func() { refused = recover() != nil }()
		product(make([]float32, 40), make([]float32, 30), make([]int8, codes), make([]uint16, scales), make([]float32, wide), d, false)
		return false
	}
	for _, c := range []struct{ codes, wide int }{{all, CacheRoom}, {all - 3*Rows, CacheRoom}, {all - 4*Rows, CacheRoom}, {all, CacheRoom - 1}} {
		// Keys have two blocks of scales for each of three panels, of which the last needs one; values two for 33 columns.
		for _, less := range []int{0, 1} {
			want := less > 0 || c.codes < all-3*Rows || c.wide < CacheRoom
			if got := refused(Keys, c.codes, 5*Rows-less, c.wide); got != want {
				t.Errorf("keys: %d codes, %d scales, scratch of %d: refused: %v", c.codes, 5*Rows-less, c.wide, got)
			}
			if got := refused(Values, c.codes, 33+30-less, c.wide); got != want {
				t.Errorf("values: %d codes, %d scales, scratch of %d: refused: %v", c.codes, 63-less, c.wide, got)
			}
		}
	}
}
