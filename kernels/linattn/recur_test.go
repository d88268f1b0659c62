package linattn

import (
	"math"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// kind is a form of the recurrence.
type kind struct {
	axis  Axis
	first bool
}

var kinds = []kind{{PerToken, false}, {PerKey, false}, {PerValue, false}, {PerKey, true}}

// random returns a call of the given shape in fenced buffers, with gap elements between rows.
func random(h *kerneltest.H, k kind, tokens, kdim, vdim, gap int) *Recurrence {
	input := func(width int, sd float64) []float32 {
		return kerneltest.In(h, h.Normal(extent(tokens, width, width+gap), sd))
	}
	a := &Recurrence{
		Q: input(kdim, 1), QStride: kdim + gap,
		K: input(kdim, 1), KStride: kdim + gap,
		V: input(vdim, 1), VStride: vdim + gap,
		O:       kerneltest.InOut(h, h.Normal(extent(tokens, vdim, vdim+gap), 1)),
		S:       kerneltest.InOut(h, h.Normal(extent(kdim, vdim, vdim+gap), 1)),
		OStride: vdim + gap, SStride: vdim + gap,
		Tokens: tokens, KDim: kdim, VDim: vdim, Scale: 0.3, Axis: k.axis, ReadFirst: k.first,
	}
	if gap == 0 {
		a.O = kerneltest.Out[float32](h, tokens*vdim)
	}
	a.DecayStride = a.decays() + gap
	a.Decay = kerneltest.In(h, h.Uniform(extent(tokens, a.decays(), a.DecayStride), 0, 1))
	return a
}

// extent is the shortest length that holds a matrix [rows, width].
func extent(rows, width, stride int) int {
	if rows == 0 {
		return 0
	}
	return (rows-1)*stride + width
}

func TestRecur(t *testing.T) {
	kerneltest.All(t, "linattn.Recur", func(h *kerneltest.H) {
		check := func(k kind, tokens, kdim, vdim, gap int) {
			a := random(h, k, tokens, kdim, vdim, gap)
			before := *a
			before.S = slices.Clone(a.S)
			Recur(a)
			reference(&before).check(h, a)
			h.Check("%v T=%d K=%d V=%d gap=%d", k, tokens, kdim, vdim, gap)
		}
		for _, k := range kinds {
			for vdim := range 81 {
				check(k, 3, 9, vdim, 0)
				check(k, 2, 10, vdim, 5)
			}
			if testing.Short() { // under emulation
				check(k, 3, 257, 33, 1)
				check(k, 20, 2, 40, 0)
				continue
			}
			for _, tokens := range []int{0, 1, 2, 3, 20} {
				for _, kdim := range []int{0, 1, 2, 3, 16, 33} {
					for _, vdim := range []int{1, 15, 16, 17, 31, 32, 33, 40} {
						check(k, tokens, kdim, vdim, 0)
					}
				}
			}
			for kdim := range 71 {
				check(k, 3, kdim, 18, 3)
			}
			// Past the scratch of each implementation, and past the tokens of one call of the assembly.
			for _, kdim := range []int{256, 257, 512, 513} {
				check(k, 3, kdim, 50, 0)
			}
		}
		check(kinds[1], 2*1<<17/400+3, 400, 3, 0)
	})
}

// TestRecurRepeats holds inputs of stride 0 against the same rows written out.
func TestRecurRepeats(t *testing.T) {
	kerneltest.All(t, "linattn.Recur", func(h *kerneltest.H) {
		for _, k := range kinds {
			a := random(h, k, 7, 12, 20, 0)
			n := a.decays()
			a.DecayStride, a.QStride, a.VStride = 0, 0, 0
			b := *a
			b.DecayStride, b.QStride, b.VStride = n, 12, 20
			b.Decay = slices.Repeat(a.Decay[:n], 7)
			b.Q, b.V = slices.Repeat(a.Q[:12], 7), slices.Repeat(a.V[:20], 7)
			b.O, b.S = make([]float32, len(a.O)), slices.Clone(a.S)
			Recur(a)
			Recur(&b)
			same(h, "O", a.O, b.O)
			same(h, "S", a.S, b.S)
			h.Check("stride 0 %v", k)
		}
	})
}

// TestRecurCuts cuts the tokens into calls and the columns into ranges.
func TestRecurCuts(t *testing.T) {
	kerneltest.All(t, "linattn.Recur", func(h *kerneltest.H) {
		for i := range 80 {
			tokens, kdim, vdim := h.Rand.IntN(40), h.Rand.IntN(80), 1+h.Rand.IntN(100)
			a := random(h, kinds[i%len(kinds)], tokens, kdim, vdim, h.Rand.IntN(3))
			b := *a
			b.O, b.S = slices.Clone(a.O), slices.Clone(a.S)
			Recur(a)
			for col := 0; col < vdim; {
				c := b
				c.VDim = 1 + h.Rand.IntN(vdim-col)
				c.S = b.S[min(col, len(b.S)):]
				for from := 0; from < tokens; from += c.Tokens {
					c.Tokens = 1 + h.Rand.IntN(tokens-from)
					c.Q, c.K = b.Q[from*b.QStride:], b.K[from*b.KStride:]
					c.O, c.V = b.O[from*b.OStride+col:], b.V[from*b.VStride+col:]
					c.Decay = b.Decay[from*b.DecayStride:]
					if c.Axis == PerValue {
						c.Decay = c.Decay[col:]
					}
					Recur(&c)
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

func TestRecurPanics(t *testing.T) {
	kerneltest.All(t, "linattn.Recur", func(h *kerneltest.H) {
		for name, spoil := range map[string]func(a *Recurrence){
			"Tokens":        func(a *Recurrence) { a.Tokens = -1 },
			"KDim":          func(a *Recurrence) { a.KDim = -1 },
			"VDim":          func(a *Recurrence) { a.VDim = -1 },
			"O":             func(a *Recurrence) { a.O = a.O[1:] },
			"Q":             func(a *Recurrence) { a.Q = a.Q[1:] },
			"K":             func(a *Recurrence) { a.K = a.K[1:] },
			"V":             func(a *Recurrence) { a.V = a.V[1:] },
			"Decay":         func(a *Recurrence) { a.Decay = a.Decay[1:] },
			"S":             func(a *Recurrence) { a.S = a.S[1:] },
			"OStride":       func(a *Recurrence) { a.OStride = a.VDim - 1 },
			"SStride":       func(a *Recurrence) { a.SStride = a.VDim - 1 },
			"DecayStride":   func(a *Recurrence) { a.DecayStride = -1 },
			"huge stride":   func(a *Recurrence) { a.KStride = math.MaxInt },
			"huge product":  func(a *Recurrence) { a.VStride = 1 << 62 },
			"axis":          func(a *Recurrence) { a.Axis = 3 },
			"read first":    func(a *Recurrence) { a.Axis, a.ReadFirst = PerToken, true },
			"one short row": func(a *Recurrence) { a.Tokens, a.Q = 1, a.Q[:a.KDim-1] },
		} {
			func() {
				defer func() {
					if recover() == nil {
						h.Errorf("%s: no panic", name)
					}
				}()
				a := random(h, kinds[1], 5, 6, 20, 1)
				spoil(a)
				Recur(a)
			}()
		}
	})
}

func TestRecurAllocates(t *testing.T) {
	kerneltest.All(t, "linattn.Recur", func(h *kerneltest.H) {
		for _, k := range kinds {
			a := random(h, k, 2, 6, 20, 0)
			if n := testing.AllocsPerRun(10, func() { Recur(a) }); n != 0 {
				h.Errorf("%s: %g allocations", h.ISA, n)
			}
			h.Check("allocations")
		}
	})
}

func FuzzRecur(f *testing.F) {
	f.Add(uint8(3), uint16(12), uint8(18), uint8(2), uint8(1), uint64(1), false)
	f.Add(uint8(2), uint16(300), uint8(40), uint8(0), uint8(2), uint64(2), true)
	f.Fuzz(func(t *testing.T, tokens uint8, kdim uint16, vdim, gap, form uint8, seed uint64, patterns bool) {
		kerneltest.All(t, "linattn.Recur", func(h *kerneltest.H) {
			h.Reseed(seed)
			a := random(h, kinds[int(form)%len(kinds)], int(tokens%24), int(kdim%600), int(vdim%100), int(gap%8))
			if patterns {
				a.V, a.K, a.Decay = h.Patterns(len(a.V)), h.Patterns(len(a.K)), h.Patterns(len(a.Decay))
			}
			Recur(a)
			h.Check("Recur")
		})
	})
}

// result is what the recurrence gives in float64, and how far float32 may be off.
type result struct{ o, s, oBound, sBound []float64 }

const eps = 0x1p-24

// reference runs the recurrence in float64 from a's state.
//
// An element's error e grows by the factor a and by two roundings a token, of a·S and of the
// update. A sum passes each term through at most ⌈K/2⌉ multiply-adds and one addition. Every
// operation may also lose 2⁻¹⁴⁹ to underflow.
func reference(a *Recurrence) *result {
	r := &result{make([]float64, a.Tokens*a.VDim), make([]float64, a.KDim*a.VDim), make([]float64, a.Tokens*a.VDim), make([]float64, a.KDim*a.VDim)}
	for k := range a.KDim {
		for v := range a.VDim {
			r.s[k*a.VDim+v] = float64(a.S[k*a.SStride+v])
		}
	}
	n := float64((a.KDim+1)/2 + 1)
	gamma, tiny := n*eps/(1-n*eps), float64(a.KDim+4)*0x1p-149
	for t := range a.Tokens {
		for v := range a.VDim {
			var o, eo, magnitude float64
			for k := range a.KDim {
				s, e := &r.s[k*a.VDim+v], &r.sBound[k*a.VDim+v]
				q := float64(a.Q[t*a.QStride+k])
				read := func() {
					o += *s * q
					eo += *e * math.Abs(q)
					magnitude += (math.Abs(*s) + *e) * math.Abs(q)
				}
				if a.ReadFirst {
					read()
				}
				decay := float64(a.Decay[t*a.DecayStride+[...]int{0, k, v}[a.Axis]])
				*e = decay**e + eps*decay*(math.Abs(*s)+*e) + 2*tiny
				*s = decay**s + float64(a.K[t*a.KStride+k])*float64(a.V[t*a.VStride+v])
				*e += eps * (math.Abs(*s) + *e)
				if !a.ReadFirst {
					read()
				}
			}
			scale := float64(a.Scale)
			eo += gamma*magnitude + tiny
			r.o[t*a.VDim+v], r.oBound[t*a.VDim+v] = scale*o, scale*(eo+eps*(math.Abs(o)+eo))+tiny
		}
	}
	return r
}

// check holds the outputs and the state of a finished call against r.
func (r *result) check(h *kerneltest.H, a *Recurrence) {
	h.Helper()
	for t := range a.Tokens {
		h.Within("O", a.O[t*a.OStride:][:a.VDim], func(v int) (float64, float64) { return r.o[t*a.VDim+v], r.oBound[t*a.VDim+v] })
	}
	for k := range a.KDim {
		h.Within("S", a.S[k*a.SStride:][:a.VDim], func(v int) (float64, float64) { return r.s[k*a.VDim+v], r.sBound[k*a.VDim+v] })
	}
}
