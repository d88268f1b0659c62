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
			a := &Gate{
				FStride: channels + gap, XStride: channels + 2*gap, OStride: channels + 3*gap, // different, unless rows lie end to end
				H: kerneltest.InOut(h, h.Normal(channels, 1)), Tokens: tokens, Channels: channels,
			}
			a.F = kerneltest.In(h, h.Uniform(extent(tokens, channels, a.FStride), 0, 1))
			a.X = kerneltest.In(h, h.Normal(extent(tokens, channels, a.XStride), 1))
			a.O = kerneltest.InOut(h, h.Normal(extent(tokens, channels, a.OStride), 1))
			state := slices.Clone(a.H)
			Scan(a)
			for c := range channels {
				want, bound := float64(state[c]), 0.0
				for t := range tokens {
					f, i := float64(a.F[t*a.FStride+c]), t*a.OStride+c
					want = f*want + float64(a.X[t*a.XStride+c])
					bound = f*bound + eps*(math.Abs(want)+bound) + 0x1p-149
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
