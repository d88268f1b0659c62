package linattn

import (
	"math"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

func TestScan(t *testing.T) {
	kerneltest.All(t, "linattn.Scan", func(h *kerneltest.H) {
		check := func(tokens, channels, gap int) {
			n := extent(tokens, channels, channels+gap)
			a := &Gate{
				F: kerneltest.In(h, h.Uniform(n, 0, 1)), X: kerneltest.In(h, h.Normal(n, 1)), O: kerneltest.InOut(h, h.Normal(n, 1)),
				H: kerneltest.InOut(h, h.Normal(channels, 1)), FStride: channels + gap, XStride: channels + gap, OStride: channels + gap,
				Tokens: tokens, Channels: channels,
			}
			state := slices.Clone(a.H)
			Scan(a)
			for c := range channels {
				want, bound := float64(state[c]), 0.0
				for t := range tokens {
					i := t*(channels+gap) + c
					want = float64(a.F[i])*want + float64(a.X[i])
					bound = float64(a.F[i])*bound + eps*(math.Abs(want)+bound) + 0x1p-149
					h.Within("O", a.O[i:i+1], func(int) (float64, float64) { return want, bound })
				}
				h.Within("H", a.H[c:c+1], func(int) (float64, float64) { return want, bound })
			}
			h.Check("T=%d C=%d gap=%d", tokens, channels, gap)
		}
		kerneltest.Lengths(func(n int) { check(2, n, 0) })
		for tokens := range 9 {
			check(tokens, 70, 3)
		}
		check(scanLong, 33, 0)
	})
}

// scanLong is more tokens than one call of the assembly takes.
const scanLong = 1<<12 + 3

func TestScanPanics(t *testing.T) {
	for name, spoil := range map[string]func(a *Gate){
		"O":       func(a *Gate) { a.O = a.O[1:] },
		"F":       func(a *Gate) { a.F = a.F[1:] },
		"X":       func(a *Gate) { a.X = a.X[1:] },
		"H":       func(a *Gate) { a.H = a.H[1:] },
		"OStride": func(a *Gate) { a.OStride = 3 },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			x := func() []float32 { return make([]float32, 20) }
			a := &Gate{O: x(), F: x(), X: x(), H: make([]float32, 4), OStride: 4, FStride: 4, XStride: 4, Tokens: 5, Channels: 4}
			spoil(a)
			Scan(a)
		}()
	}
}
