package delta

import (
	"math"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// rule is one of the rules with a decay for each key.
type rule struct {
	kernel string
	run    func(a *Diagonal)
	low    bool
}

var rules = []rule{{"delta.DiagonalRule", DiagonalRule, false}, {"delta.LowRankRule", LowRankRule, true}}

func TestDiagonalRule(t *testing.T) {
	kerneltest.All(t, "delta.DiagonalRule", func(h *kerneltest.H) { rules[0].test(h) })
}

func TestLowRankRule(t *testing.T) {
	kerneltest.All(t, "delta.LowRankRule", func(h *kerneltest.H) { rules[1].test(h) })
}

// random returns a call of the given shape in fenced buffers, with gap elements between rows.
func (r rule) random(h *kerneltest.H, tokens, kdim, vdim, gap int) *Diagonal {
	a := &Diagonal{Gated: *random(h, tokens, kdim, vdim, gap)}
	n, sd := extent(tokens, kdim, kdim+gap), 1/math.Sqrt(max(1, float64(kdim)))
	a.Decay, a.DecayStride = kerneltest.In(h, h.Uniform(n, 0, 1)), kdim+gap
	a.P, a.PStride = kerneltest.In(h, h.Normal(n, sd)), kdim+gap
	a.W, a.WStride = kerneltest.In(h, h.Normal(n, sd)), kdim+gap
	return a
}

func (r rule) test(h *kerneltest.H) {
	check := func(tokens, kdim, vdim, gap int) {
		a := r.random(h, tokens, kdim, vdim, gap)
		before := *a
		before.S = slices.Clone(a.S)
		r.run(a)
		if tokens < 6 {
			r.reference(h, &before, a)
		}
		h.Check("T=%d K=%d V=%d gap=%d", tokens, kdim, vdim, gap)
	}
	for vdim := range 81 {
		check(3, 9, vdim, 0)
		check(3, 10, vdim, 5)
	}
	r.panics(h)
	if testing.Short() { // under emulation
		check(3, 257, 33, 1)
		check(20, 2, 40, 0)
		return
	}
	for _, tokens := range []int{0, 1, 2, 3, 5, 20} {
		for _, kdim := range []int{0, 1, 2, 3, 5, 16, 33, 64} {
			for _, vdim := range []int{1, 15, 16, 17, 31, 32, 33, 40} {
				check(tokens, kdim, vdim, 0)
			}
		}
	}
	for kdim := range 71 {
		check(3, kdim, 18, 3)
	}
	// Past the scratch of each implementation, and past the tokens of one call of the assembly.
	for _, kdim := range []int{256, 257, 512, 513} {
		check(3, kdim, 50, 0)
	}
	check(2*1<<17/400+3, 400, 3, 0)
	r.cuts(h)
}

// cuts runs the tokens in several calls and the columns in ranges, which must not show.
func (r rule) cuts(h *kerneltest.H) {
	for range 40 {
		tokens, kdim, vdim := h.Rand.IntN(40), h.Rand.IntN(80), 1+h.Rand.IntN(100)
		a := r.random(h, tokens, kdim, vdim, h.Rand.IntN(3))
		b := *a
		b.O, b.S = slices.Clone(a.O), slices.Clone(a.S)
		r.run(a)
		for col := 0; col < vdim; {
			c := b
			c.VDim = 1 + h.Rand.IntN(vdim-col)
			c.S = b.S[min(col, len(b.S)):]
			for from := 0; from < tokens; from += c.Tokens {
				c.Tokens = 1 + h.Rand.IntN(tokens-from)
				c.Q, c.K, c.P, c.W = b.Q[from*b.QStride:], b.K[from*b.KStride:], b.P[from*b.PStride:], b.W[from*b.WStride:]
				c.O, c.V = b.O[from*b.OStride+col:], b.V[from*b.VStride+col:]
				c.Decay, c.Beta = b.Decay[from*b.DecayStride:], b.Beta[from*b.BetaStride:]
				r.run(&c)
			}
			col += c.VDim
		}
		same(h, "O", a.O, b.O)
		same(h, "S", a.S, b.S)
		h.Check("T=%d K=%d V=%d", tokens, kdim, vdim)
	}
	a := r.random(h, 2, 6, 20, 0)
	if n := testing.AllocsPerRun(10, func() { r.run(a) }); n != 0 {
		h.Errorf("%s: %g allocations", h.ISA, n)
	}
	h.Check("allocations")
}

func (r rule) panics(h *kerneltest.H) {
	for name, spoil := range map[string]func(a *Diagonal){
		"Tokens":      func(a *Diagonal) { a.Tokens = -1 },
		"O":           func(a *Diagonal) { a.O = a.O[1:] },
		"Q":           func(a *Diagonal) { a.Q = a.Q[1:] },
		"Decay":       func(a *Diagonal) { a.Decay = a.Decay[1:] },
		"P":           func(a *Diagonal) { a.P = a.P[1:] },
		"W or Beta":   func(a *Diagonal) { a.W, a.Beta = a.W[1:], a.Beta[1:] },
		"S":           func(a *Diagonal) { a.S = a.S[1:] },
		"PStride":     func(a *Diagonal) { a.PStride = -1 },
		"huge stride": func(a *Diagonal) { a.PStride = math.MaxInt },
	} {
		func() {
			defer func() {
				if recover() == nil {
					h.Errorf("%s: no panic", name)
				}
			}()
			a := r.random(h, 5, 6, 20, 1)
			spoil(a)
			r.run(a)
		}()
	}
}

// reference runs the rule in float64 from before's state and holds after to it.
//
// The error e of an element of a column grows by |a| and by what the correction reads of the
// other elements' errors, and takes in the roundings of the step: γₙ of the sum, n terms deep, two
// of d, and one each of a·S and of the fused updates. Every operation may also lose 2⁻¹⁴⁹.
func (r rule) reference(h *kerneltest.H, before, after *Diagonal) {
	h.Helper()
	K, a := before.KDim, before
	n := float64((K+1)/2 + 1)
	gamma, tiny := n*eps/(1-n*eps), float64(K+4)*0x1p-149
	abs := math.Abs
	s, e := make([]float64, K), make([]float64, K)
	for v := range a.VDim {
		for k := range K {
			s[k], e[k] = float64(a.S[k*a.SStride+v]), 0
		}
		dot := func(x []float32) (sum, bound float64) {
			var magnitude float64
			for k, xk := range x {
				sum += s[k] * float64(xk)
				bound += e[k] * abs(float64(xk))
				magnitude += (abs(s[k]) + e[k]) * abs(float64(xk))
			}
			return sum, bound + gamma*magnitude + tiny
		}
		for t := range a.Tokens {
			u, eu := dot(a.P[t*a.PStride:][:K])
			x, beta := float64(a.V[t*a.VStride+v]), float64(a.Beta[t*a.BetaStride])
			d := beta * (x - u)
			ed := beta*eu + 2.1*eps*beta*(abs(x-u)+eu) + tiny
			for k := range K {
				decay, key, w := float64(a.Decay[t*a.DecayStride+k]), float64(a.K[t*a.KStride+k]), float64(a.W[t*a.WStride+k])
				e[k] = decay*e[k] + eps*decay*(abs(s[k])+e[k]) + 2*tiny
				s[k] *= decay
				if r.low {
					s[k] -= w * u
					e[k] += abs(w) * eu
					e[k] += eps * (abs(s[k]) + e[k])
					s[k] += key * x
				} else {
					s[k] += key * d
					e[k] += abs(key) * ed
				}
				e[k] += eps * (abs(s[k]) + e[k])
			}
			o, eo := dot(a.Q[t*a.QStride:][:K])
			scale := float64(a.Scale)
			h.Within("O", after.O[t*after.OStride+v:][:1], func(int) (float64, float64) { return scale * o, scale*(eo+eps*(abs(o)+eo)) + tiny })
		}
		for k := range K {
			h.Within("S", after.S[k*after.SStride+v:][:1], func(int) (float64, float64) { return s[k], e[k] })
		}
	}
}

func FuzzDiagonalRules(f *testing.F) {
	f.Add(uint8(3), uint16(12), uint8(18), uint8(2), uint64(1), false)
	f.Add(uint8(2), uint16(300), uint8(40), uint8(0), uint64(2), true)
	f.Fuzz(func(t *testing.T, tokens uint8, kdim uint16, vdim, gap uint8, seed uint64, patterns bool) {
		for _, r := range rules {
			kerneltest.All(t, r.kernel, func(h *kerneltest.H) {
				h.Reseed(seed)
				a := r.random(h, int(tokens%24), int(kdim%600), int(vdim%100), int(gap%8))
				if patterns {
					a.V, a.K, a.Decay = h.Patterns(len(a.V)), h.Patterns(len(a.K)), h.Patterns(len(a.Decay))
				}
				r.run(a)
				h.Check("%s", r.kernel)
			})
		}
	})
}
