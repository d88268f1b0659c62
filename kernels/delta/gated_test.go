package delta

import (
	"math"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// random returns a call of the given shape in fenced buffers, with gap elements between rows.
func random(h *kerneltest.H, tokens, kdim, vdim, gap int) *Gated {
	input := func(width int, sd float64) []float32 {
		return kerneltest.In(h, h.Normal(extent(tokens, width, width+gap), sd))
	}
	a := &Gated{
		Q: input(kdim, 1), QStride: kdim + gap,
		K: input(kdim, 1/math.Sqrt(max(1, float64(kdim)))), KStride: kdim + gap,
		V: input(vdim, 1), VStride: vdim + gap,
		O:     kerneltest.InOut(h, h.Normal(extent(tokens, vdim, vdim+gap), 1)),
		S:     kerneltest.InOut(h, h.Normal(extent(kdim, vdim, vdim+gap), 1)),
		Decay: kerneltest.In(h, h.Uniform(extent(tokens, 1, 1+gap), 0, 1)), DecayStride: 1 + gap,
		Beta: kerneltest.In(h, h.Uniform(extent(tokens, 1, 1+gap), 0, 2)), BetaStride: 1 + gap,
		OStride: vdim + gap, SStride: vdim + gap,
		Tokens: tokens, KDim: kdim, VDim: vdim, Scale: 0.3,
	}
	if gap == 0 {
		a.O = kerneltest.Out[float32](h, tokens*vdim)
	}
	return a
}

// extent is the shortest length that holds a matrix [rows, width].
func extent(rows, width, stride int) int {
	if rows == 0 {
		return 0
	}
	return (rows-1)*stride + width
}

func TestGatedRule(t *testing.T) {
	kerneltest.All(t, "delta.GatedRule", func(h *kerneltest.H) {
		check := func(tokens, kdim, vdim, gap int) {
			a := random(h, tokens, kdim, vdim, gap)
			before := *a
			before.S = slices.Clone(a.S)
			GatedRule(a)
			reference(&before, nil).check(h, a)
			h.Check("T=%d K=%d V=%d gap=%d", tokens, kdim, vdim, gap)
		}
		for _, tokens := range []int{0, 1, 2, 3, 5, 20} {
			for _, kdim := range []int{0, 1, 2, 3, 5, 16, 33, 64} {
				for _, vdim := range []int{1, 7, 15, 16, 17, 18, 31, 32, 33, 40} {
					check(tokens, kdim, vdim, 0)
				}
			}
		}
		for tokens := range 21 {
			check(tokens, 10, 18, 3)
		}
		for vdim := range 81 {
			check(3, 9, vdim, 0)
			check(3, 9, vdim, 5)
		}
		for kdim := range 71 {
			check(3, kdim, 18, 0)
		}
		// Past the scratch of each implementation, and past the tokens of one call of the assembly.
		for _, kdim := range []int{256, 257, 512, 513} {
			check(3, kdim, 50, 0)
		}
		check(2*1<<17/400+3, 400, 3, 0)
	})
}

// TestGatedRuleRepeats holds inputs of stride 0 against the same rows written out.
func TestGatedRuleRepeats(t *testing.T) {
	kerneltest.All(t, "delta.GatedRule", func(h *kerneltest.H) {
		a := random(h, 7, 12, 20, 0)
		a.DecayStride, a.BetaStride, a.QStride, a.VStride = 0, 0, 0, 0
		b := *a
		b.DecayStride, b.BetaStride, b.QStride, b.VStride = 1, 1, 12, 20
		b.Decay, b.Beta = slices.Repeat(a.Decay[:1], 7), slices.Repeat(a.Beta[:1], 7)
		b.Q, b.V = slices.Repeat(a.Q[:12], 7), slices.Repeat(a.V[:20], 7)
		b.O, b.S = make([]float32, len(a.O)), slices.Clone(a.S)
		GatedRule(a)
		GatedRule(&b)
		same(h, "O", a.O, b.O)
		same(h, "S", a.S, b.S)
		h.Check("stride 0")
	})
}

// TestGatedRuleCuts cuts the tokens into calls and the columns into ranges.
func TestGatedRuleCuts(t *testing.T) {
	kerneltest.All(t, "delta.GatedRule", func(h *kerneltest.H) {
		for range 60 {
			tokens, kdim, vdim := h.Rand.IntN(40), h.Rand.IntN(80), 1+h.Rand.IntN(100)
			a := random(h, tokens, kdim, vdim, h.Rand.IntN(3))
			b := *a
			b.O, b.S = slices.Clone(a.O), slices.Clone(a.S)
			GatedRule(a)
			for col := 0; col < vdim; {
				c := b
				c.VDim = 1 + h.Rand.IntN(vdim-col)
				c.S = b.S[min(col, len(b.S)):]
				for from := 0; from < tokens; from += c.Tokens {
					c.Tokens = 1 + h.Rand.IntN(tokens-from)
					c.Q, c.K = b.Q[from*b.QStride:], b.K[from*b.KStride:]
					c.O, c.V = b.O[from*b.OStride+col:], b.V[from*b.VStride+col:]
					c.Decay, c.Beta = b.Decay[from*b.DecayStride:], b.Beta[from*b.BetaStride:]
					GatedRule(&c)
				}
				col += c.VDim
			}
			same(h, "O", a.O, b.O)
			same(h, "S", a.S, b.S)
			h.Check("T=%d K=%d V=%d", tokens, kdim, vdim)
		}
	})
}

// same demands equal bits.
func same(h *kerneltest.H, name string, want, got []float32) {
	h.Helper()
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			h.Fatalf("%s %s[%d]: %g, want %g", h.ISA, name, i, got[i], want[i])
		}
	}
}

func TestGatedRulePanics(t *testing.T) {
	kerneltest.All(t, "delta.GatedRule", func(h *kerneltest.H) {
		for name, spoil := range map[string]func(a *Gated){
			"Tokens":        func(a *Gated) { a.Tokens = -1 },
			"KDim":          func(a *Gated) { a.KDim = -1 },
			"VDim":          func(a *Gated) { a.VDim = -1 },
			"O":             func(a *Gated) { a.O = a.O[1:] },
			"Q":             func(a *Gated) { a.Q = a.Q[1:] },
			"K":             func(a *Gated) { a.K = a.K[1:] },
			"V":             func(a *Gated) { a.V = a.V[1:] },
			"Decay":         func(a *Gated) { a.Decay = a.Decay[1:] },
			"Beta":          func(a *Gated) { a.Beta = a.Beta[1:] },
			"S":             func(a *Gated) { a.S = a.S[1:] },
			"OStride":       func(a *Gated) { a.OStride = a.VDim - 1 },
			"SStride":       func(a *Gated) { a.SStride = a.VDim - 1 },
			"QStride":       func(a *Gated) { a.QStride = -1 },
			"huge stride":   func(a *Gated) { a.KStride = math.MaxInt },
			"huge product":  func(a *Gated) { a.VStride = 1 << 62 },
			"more tokens":   func(a *Gated) { a.Tokens++ },
			"one short row": func(a *Gated) { a.Tokens, a.Q = 1, a.Q[:a.KDim-1] },
		} {
			func() {
				defer func() {
					if recover() == nil {
						h.Errorf("%s: no panic", name)
					}
				}()
				a := random(h, 5, 6, 20, 1)
				spoil(a)
				GatedRule(a)
			}()
		}
	})
}

func TestGatedRuleAllocates(t *testing.T) {
	kerneltest.All(t, "delta.GatedRule", func(h *kerneltest.H) {
		a := random(h, 2, 6, 20, 0)
		if n := testing.AllocsPerRun(10, func() { GatedRule(a) }); n != 0 {
			h.Errorf("%s: %g allocations", h.ISA, n)
		}
		h.Check("allocations")
	})
}

func FuzzGatedRule(f *testing.F) {
	f.Add(uint8(3), uint16(12), uint8(18), uint8(2), uint64(1), false)
	f.Add(uint8(2), uint16(300), uint8(40), uint8(0), uint64(2), true)
	f.Fuzz(func(t *testing.T, tokens uint8, kdim uint16, vdim, gap uint8, seed uint64, patterns bool) {
		kerneltest.All(t, "delta.GatedRule", func(h *kerneltest.H) {
			h.Reseed(seed)
			a := random(h, int(tokens%24), int(kdim%600), int(vdim%100), int(gap%8))
			if patterns {
				a.V, a.K, a.Decay = h.Patterns(len(a.V)), h.Patterns(len(a.K)), h.Patterns(len(a.Decay))
			}
			GatedRule(a)
			h.Check("GatedRule")
		})
	})
}
