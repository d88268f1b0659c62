package scan

import (
	"math"
	"slices"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// extent is the shortest length that holds a matrix [rows, width].
func extent(rows, width, stride int) int {
	if rows == 0 {
		return 0
	}
	return (rows-1)*stride + width
}

// inputs returns a maker of fenced random matrices with gap elements between rows.
func inputs(h *kerneltest.H, tokens, gap int) func(width int) []float32 {
	return func(width int) []float32 { return kerneltest.In(h, h.Normal(extent(tokens, width, width+gap), 1)) }
}

// state returns a random state in panels, with zeros in the lanes beyond the channels.
func state(h *kerneltest.H, channels, n int) []float32 {
	s := make([]float32, StateLen(channels, n))
	for c := range channels {
		for i := range n {
			s[place(c, i, n)] = float32(h.Rand.NormFloat64())
		}
	}
	return kerneltest.InOut(h, s)
}

func outputs(h *kerneltest.H, tokens, width, gap int) []float32 {
	if gap == 0 {
		return kerneltest.Out[float32](h, tokens*width)
	}
	return kerneltest.InOut(h, h.Normal(extent(tokens, width, width+gap), 1))
}

func randomSSD(h *kerneltest.H, tokens, p, n, gap int) *SSD {
	input := inputs(h, tokens, gap)
	return &SSD{
		Y: outputs(h, tokens, p, gap), YStride: p + gap,
		X: input(p), XStride: p + gap, B: input(n), BStride: n + gap, C: input(n), CStride: n + gap,
		Dt: kerneltest.In(h, h.Uniform(extent(tokens, 1, 1+gap), 0, 2)), DtStride: 1 + gap,
		Decay: kerneltest.In(h, h.Uniform(extent(tokens, 1, 1+gap), 0, 1)), DecayStride: 1 + gap,
		D: kerneltest.In(h, h.Normal(p, 1)), S: state(h, p, n),
		Tokens: tokens, P: p, N: n,
	}
}

func randomSelective(h *kerneltest.H, tokens, channels, n, gap int) *Selective {
	input := inputs(h, tokens, gap)
	rates := h.Uniform(StateLen(channels, n), -16, 0)
	for i := range rates {
		if h.Rand.IntN(20) == 0 {
			rates[i] *= 100
		}
	}
	return &Selective{
		Y: outputs(h, tokens, channels, gap), YStride: channels + gap,
		X: input(channels), XStride: channels + gap, B: input(n), BStride: n + gap, C: input(n), CStride: n + gap,
		Dt: kerneltest.In(h, h.Uniform(extent(tokens, channels, channels+gap), 0, 0.5)), DtStride: channels + gap,
		A: kerneltest.In(h, rates), D: kerneltest.In(h, h.Normal(channels, 1)), S: state(h, channels, n),
		Tokens: tokens, Channels: channels, N: n,
	}
}

// check holds the outputs and the state of a finished call against the reference.
func check(h *kerneltest.H, y []float32, stride int, wantY []bounded, s []float32, wantS [][]bounded) {
	h.Helper()
	for t := 0; t*len(wantS) < len(wantY); t++ {
		h.Within("Y", y[t*stride:][:len(wantS)], func(i int) (float64, float64) {
			w := wantY[t*len(wantS)+i]
			return w.value, w.bound
		})
	}
	for c, row := range wantS {
		got := make([]float32, len(row))
		for n := range got {
			got[n] = s[place(c, n, len(row))]
		}
		h.Within("S", got, func(n int) (float64, float64) { return row[n].value, row[n].bound })
	}
	for c := len(wantS); c < Panels(len(wantS))*Lanes; c++ {
		for n := range len(s) / Lanes / Panels(len(wantS)) {
			if v := s[place(c, n, len(s)/Lanes/Panels(len(wantS)))]; v != 0 {
				h.Fatalf("lane %d beyond the channels holds %g", c, v)
			}
		}
	}
}

// shapes calls f with awkward tokens, channels, entries and gaps.
func shapes(f func(tokens, channels, n, gap int)) {
	for _, tokens := range []int{0, 1, 2, 5} {
		for _, n := range []int{0, 1, 2, 5, 16} {
			for _, channels := range []int{0, 1, 7, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 80} {
				f(tokens, channels, n, 0)
			}
		}
	}
	for channels := range 150 {
		f(2, channels, 3, channels%4)
	}
	for n := range 70 {
		f(3, 18, n, 1)
	}
	for tokens := range 21 {
		f(tokens, 20, 6, 3)
	}
	f(67, 37, 10, 0)    // past the tokens of one call of the assembly
	f(3, 5, 1<<15+1, 0) // one token a call
}

func TestSSDScan(t *testing.T) {
	kerneltest.All(t, "scan.SSDScan", func(h *kerneltest.H) {
		shapes(func(tokens, p, n, gap int) {
			a := randomSSD(h, tokens, p, n, gap)
			y, s := a.reference(nil)
			SSDScan(a)
			check(h, a.Y, a.YStride, y, a.S, s)
			h.Check("T=%d P=%d N=%d gap=%d", tokens, p, n, gap)
		})
	})
}

func TestSelectiveScan(t *testing.T) {
	kerneltest.All(t, "scan.SelectiveScan", func(h *kerneltest.H) {
		shapes(func(tokens, channels, n, gap int) {
			a := randomSelective(h, tokens, channels, n, gap)
			y, s := a.reference(nil)
			SelectiveScan(a)
			check(h, a.Y, a.YStride, y, a.S, s)
			h.Check("T=%d E=%d N=%d gap=%d", tokens, channels, n, gap)
		})
	})
}

// TestExp2 holds every implementation's exponential, read through a state of 1 that nothing is
// written to, to two units of 2⁻²⁴: 0x1.7p-26 of the polynomial, one of the last rounding where
// the result is 1 or more and ½·√2 of one below, half a one of the roundings before it.
func TestExp2(t *testing.T) {
	kerneltest.All(t, "scan.SelectiveScan", func(h *kerneltest.H) {
		h.Reseed(1)
		const n = 1000
		powers := slices.Concat(h.Uniform(9*n, -130, 0), h.Uniform(6*n, -1, 0), []float32{0, -0.5, -1, -124.5, -125, -1e30})
		powers = append(powers, make([]float32, 16*n-len(powers))...)
		a := &Selective{
			Y: make([]float32, Lanes), X: make([]float32, Lanes), Dt: slices.Repeat([]float32{1}, Lanes), D: make([]float32, Lanes),
			B: make([]float32, n), C: make([]float32, n), A: kerneltest.In(h, powers),
			S: kerneltest.InOut(h, slices.Repeat([]float32{1}, Lanes*n)), Tokens: 1, Channels: Lanes, N: n,
		}
		SelectiveScan(a)
		h.Within("exp2", a.S, func(i int) (float64, float64) {
			e := math.Exp2(math.Max(float64(powers[i]), -125))
			return e, 2 * eps * e
		})
		h.Check("exp2")
	})
}

// TestCuts cuts the tokens into calls and the channels into ranges of whole panels.
func TestCuts(t *testing.T) {
	cuts := func(h *kerneltest.H, tokens, channels int, call func(from, to, col, width int)) {
		for col := 0; col < channels; {
			width := min(Lanes*(1+h.Rand.IntN(3)), channels-col)
			for from := 0; from < tokens; {
				to := from + 1 + h.Rand.IntN(tokens-from)
				call(from, to, col, width)
				from = to
			}
			col += width
		}
	}
	kerneltest.All(t, "scan.SSDScan", func(h *kerneltest.H) {
		for range 40 {
			a := randomSSD(h, h.Rand.IntN(150), 1+h.Rand.IntN(100), h.Rand.IntN(40), h.Rand.IntN(3))
			b := *a
			b.Y, b.S = slices.Clone(a.Y), slices.Clone(a.S)
			SSDScan(a)
			cuts(h, a.Tokens, a.P, func(from, to, col, width int) {
				c := b
				c.Tokens, c.P = to-from, width
				c.S, c.D = b.S[col*b.N:][:StateLen(width, b.N)], b.D[col:]
				c.X, c.Y, c.B, c.C = b.X[from*b.XStride+col:], b.Y[from*b.YStride+col:], b.B[from*b.BStride:], b.C[from*b.CStride:]
				c.Dt, c.Decay = b.Dt[from*b.DtStride:], b.Decay[from*b.DecayStride:]
				SSDScan(&c)
			})
			same(h, "Y", b.Y, a.Y)
			same(h, "S", b.S, a.S)
			h.Check("T=%d P=%d N=%d", a.Tokens, a.P, a.N)
		}
	})
	kerneltest.All(t, "scan.SelectiveScan", func(h *kerneltest.H) {
		for range 40 {
			a := randomSelective(h, h.Rand.IntN(150), 1+h.Rand.IntN(100), h.Rand.IntN(20), h.Rand.IntN(3))
			b := *a
			b.Y, b.S = slices.Clone(a.Y), slices.Clone(a.S)
			SelectiveScan(a)
			cuts(h, a.Tokens, a.Channels, func(from, to, col, width int) {
				c := b
				c.Tokens, c.Channels = to-from, width
				c.S, c.A, c.D = b.S[col*b.N:][:StateLen(width, b.N)], b.A[col*b.N:][:StateLen(width, b.N)], b.D[col:]
				c.X, c.Y, c.Dt = b.X[from*b.XStride+col:], b.Y[from*b.YStride+col:], b.Dt[from*b.DtStride+col:]
				c.B, c.C = b.B[from*b.BStride:], b.C[from*b.CStride:]
				SelectiveScan(&c)
			})
			same(h, "Y", b.Y, a.Y)
			same(h, "S", b.S, a.S)
			h.Check("T=%d E=%d N=%d", a.Tokens, a.Channels, a.N)
		}
	})
}

// TestInPlace lets the outputs take the place of the inputs, and rows repeat by a stride of 0.
func TestInPlace(t *testing.T) {
	kerneltest.All(t, "scan.SSDScan", func(h *kerneltest.H) {
		a := randomSSD(h, 7, 70, 9, 0)
		a.BStride, a.DtStride = 0, 0
		b := *a
		b.S, b.Y, b.B, b.BStride = slices.Clone(a.S), slices.Clone(a.X), slices.Repeat(a.B[:9], 7), 9
		b.X = b.Y
		SSDScan(a)
		SSDScan(&b)
		same(h, "Y", b.Y, a.Y)
		same(h, "S", b.S, a.S)
		h.Check("in place")
	})
	kerneltest.All(t, "scan.SelectiveScan", func(h *kerneltest.H) {
		a := randomSelective(h, 7, 70, 9, 0)
		a.CStride = 0
		b := *a
		b.S, b.Y, b.C, b.CStride = slices.Clone(a.S), slices.Clone(a.X), slices.Repeat(a.C[:9], 7), 9
		b.X = b.Y
		SelectiveScan(a)
		SelectiveScan(&b)
		same(h, "Y", b.Y, a.Y)
		same(h, "S", b.S, a.S)
		h.Check("in place")
	})
}

// same demands equal bits.
func same(h *kerneltest.H, name string, got, want []float32) {
	h.Helper()
	for i := range want {
		if math.Float32bits(want[i]) != math.Float32bits(got[i]) {
			h.Fatalf("%s %s[%d]: %g, want %g", h.ISA, name, i, got[i], want[i])
		}
	}
}

// panics demands a panic of each spoiled call.
func panics[A any](h *kerneltest.H, good func() *A, call func(*A), spoilers map[string]func(*A)) {
	for name, spoil := range spoilers {
		func() {
			defer func() {
				if recover() == nil {
					h.Errorf("%s: no panic", name)
				}
			}()
			a := good()
			spoil(a)
			call(a)
		}()
	}
}

func TestPanics(t *testing.T) {
	kerneltest.All(t, "scan.SSDScan", func(h *kerneltest.H) {
		panics(h, func() *SSD { return randomSSD(h, 5, 20, 6, 1) }, SSDScan, map[string]func(a *SSD){
			"Tokens": func(a *SSD) { a.Tokens = -1 }, "P": func(a *SSD) { a.P = -1 }, "N": func(a *SSD) { a.N = -1 },
			"Y": func(a *SSD) { a.Y = a.Y[1:] }, "X": func(a *SSD) { a.X = a.X[1:] }, "B": func(a *SSD) { a.B = a.B[1:] },
			"C": func(a *SSD) { a.C = a.C[1:] }, "D": func(a *SSD) { a.D = a.D[1:] }, "S": func(a *SSD) { a.S = a.S[1:] },
			"Dt": func(a *SSD) { a.Dt = a.Dt[1:] }, "Decay": func(a *SSD) { a.Decay = a.Decay[1:] },
			"long S": func(a *SSD) { a.S = append(a.S, make([]float32, Lanes)...) }, "YStride": func(a *SSD) { a.YStride = a.P - 1 },
			"XStride": func(a *SSD) { a.XStride = -1 }, "huge stride": func(a *SSD) { a.BStride = math.MaxInt },
			"huge N": func(a *SSD) { a.N = 1 << 60 }, "more tokens": func(a *SSD) { a.Tokens++ },
		})
	})
	kerneltest.All(t, "scan.SelectiveScan", func(h *kerneltest.H) {
		panics(h, func() *Selective { return randomSelective(h, 5, 20, 6, 1) }, SelectiveScan, map[string]func(a *Selective){
			"Tokens": func(a *Selective) { a.Tokens = -1 }, "Channels": func(a *Selective) { a.Channels = -1 }, "N": func(a *Selective) { a.N = -1 },
			"Y": func(a *Selective) { a.Y = a.Y[1:] }, "X": func(a *Selective) { a.X = a.X[1:] }, "Dt": func(a *Selective) { a.Dt = a.Dt[1:] },
			"B": func(a *Selective) { a.B = a.B[1:] }, "C": func(a *Selective) { a.C = a.C[1:] }, "D": func(a *Selective) { a.D = a.D[1:] },
			"A": func(a *Selective) { a.A = a.A[1:] }, "S": func(a *Selective) { a.S = a.S[Lanes:] },
			"YStride": func(a *Selective) { a.YStride = a.Channels - 1 }, "DtStride": func(a *Selective) { a.DtStride = math.MaxInt },
			"more tokens": func(a *Selective) { a.Tokens++ }, "more channels": func(a *Selective) { a.Channels += Lanes },
		})
	})
}

func TestAllocations(t *testing.T) {
	kerneltest.All(t, "scan.SSDScan", func(h *kerneltest.H) {
		a, b := randomSSD(h, 2, 20, 6, 0), randomSelective(h, 2, 20, 6, 0)
		if n := testing.AllocsPerRun(10, func() { SSDScan(a); SelectiveScan(b) }); n != 0 {
			h.Errorf("%s: %g allocations", h.ISA, n)
		}
		a.S, b.S = a.S[:0], b.S[:0]
	})
}

func FuzzSSDScan(f *testing.F) {
	f.Add(uint8(3), uint8(18), uint16(12), uint8(2), uint64(1), false)
	f.Add(uint8(2), uint8(70), uint16(300), uint8(0), uint64(2), true)
	f.Fuzz(func(t *testing.T, tokens, p uint8, n uint16, gap uint8, seed uint64, patterns bool) {
		kerneltest.All(t, "scan.SSDScan", func(h *kerneltest.H) {
			h.Reseed(seed)
			a := randomSSD(h, int(tokens%24), int(p%140), int(n%300), int(gap%8))
			if patterns {
				a.X, a.B, a.C, a.Decay = h.Patterns(len(a.X)), h.Patterns(len(a.B)), h.Patterns(len(a.C)), h.Patterns(len(a.Decay))
			}
			SSDScan(a)
			h.Check("SSDScan")
		})
	})
}

func FuzzSelectiveScan(f *testing.F) {
	f.Add(uint8(3), uint8(18), uint8(12), uint8(2), uint64(1), false)
	f.Add(uint8(2), uint8(70), uint8(30), uint8(0), uint64(2), true)
	f.Fuzz(func(t *testing.T, tokens, channels, n, gap uint8, seed uint64, patterns bool) {
		kerneltest.All(t, "scan.SelectiveScan", func(h *kerneltest.H) {
			h.Reseed(seed)
			a := randomSelective(h, int(tokens%24), int(channels%70), int(n%40), int(gap%8))
			if patterns {
				a.X, a.B, a.Dt, a.A = h.Patterns(len(a.X)), h.Patterns(len(a.B)), h.Patterns(len(a.Dt)), h.Patterns(len(a.A))
			}
			SelectiveScan(a)
			h.Check("SelectiveScan")
		})
	})
}
