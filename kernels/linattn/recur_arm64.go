//go:build !purego

package linattn

import "github.com/mminfer/mminfer/kernels"

var useRecurNEON = true

func init() { kernels.Register("linattn.Recur", "NEON", &useRecurNEON) }

const (
	// block is how many columns the assembly takes together.
	block = 16

	// recurRows16 is the largest KDim of which the assembly works on a contiguous copy of the block,
	// 32 KiB on the stack. A larger block is updated where it lies.
	recurRows16 = 512

	// recurRows bounds KDim·tokens of one call of the assembly, which cannot be preempted, to
	// some 0.5 ms.
	recurRows = 1 << 17
)

//go:noescape
func recurColumnsNEON(a *Recurrence, from, tokens, col int)

//go:noescape
func recurRowsNEON(a *Recurrence, from, tokens, col int)

//go:noescape
func recurReadNEON(a *Recurrence, from, tokens, col int)

func recur(a *Recurrence) {
	if !useRecurNEON {
		recurGeneric(a)
		return
	}
	step := max(1, recurRows/max(1, a.KDim))
	col := 0
	for ; col+block <= a.VDim; col += block {
		for from := 0; from < a.Tokens; from += step {
			a.block(from, min(step, a.Tokens-from), col)
		}
	}
	if col < a.VDim {
		a.narrow(col)
	}
}

// block runs some tokens over one block of columns.
func (a *Recurrence) block(from, tokens, col int) {
	switch {
	case a.ReadFirst:
		recurReadNEON(a, from, tokens, col)
	case a.Axis == PerKey:
		recurRowsNEON(a, from, tokens, col)
	default:
		recurColumnsNEON(a, from, tokens, col)
	}
}

// narrow runs the columns from col on, fewer than a block, as a whole one with zeros beside them;
// by portable Go if their state does not fit on the stack.
func (a *Recurrence) narrow(col int) {
	b, width := *a, a.VDim-col
	if a.KDim > recurRows16 {
		b.O, b.V, b.S, b.VDim = a.O[col:], a.V[col:], a.S[col:], width
		if a.Axis == PerValue {
			b.Decay = a.Decay[col:]
		}
		recurGeneric(&b)
		return
	}
	var state [recurRows16 * block]float32
	var o, v, decay [block]float32
	for k := range a.KDim {
		copy(state[k*block:], a.S[k*a.SStride+col:][:width])
	}
	b.S, b.SStride = state[:], block
	b.O, b.OStride, b.V, b.VStride = o[:], 0, v[:], 0
	if a.Axis == PerValue {
		b.Decay, b.DecayStride = decay[:], 0
	}
	for t := range a.Tokens {
		copy(v[:], a.V[t*a.VStride+col:][:width])
		if a.Axis == PerValue {
			copy(decay[:], a.Decay[t*a.DecayStride+col:][:width])
		}
		b.block(t, 1, 0)
		copy(a.O[t*a.OStride+col:][:width], o[:])
	}
	for k := range a.KDim {
		copy(a.S[k*a.SStride+col:][:width], state[k*block:])
	}
}
