//go:build !purego

package delta

import "github.com/mminfer/mminfer/kernels"

// Every arm64 processor has NEON.
var (
	useGatedNEON    = true
	useDiagonalNEON = true
	useLowRankNEON  = true
)

func init() {
	kernels.Register("delta.GatedRule", "NEON", &useGatedNEON)
	kernels.Register("delta.DiagonalRule", "NEON", &useDiagonalNEON)
	kernels.Register("delta.LowRankRule", "NEON", &useLowRankNEON)
}

const (
	// block is how many columns the assembly takes together.
	block = 16

	// scratchRows is the largest KDim of which the assembly works on a contiguous copy of the block,
	// 32 KiB on the stack. A larger block is updated where it lies.
	scratchRows = 512

	// callRows bounds KDim·tokens of one call of the assembly, which cannot be preempted, to
	// some 0.5 ms.
	callRows = 1 << 17
)

//go:noescape
func gatedNEON(a *Gated, from, tokens, col int)

//go:noescape
func diagonalNEON(a *Diagonal, from, tokens, col int)

//go:noescape
func lowRankNEON(a *Diagonal, from, tokens, col int)

func gatedRule(a *Gated) {
	if useGatedNEON {
		gated.run(&Diagonal{Gated: *a})
	} else {
		gatedGeneric(a)
	}
}

func diagonalRule(a *Diagonal) {
	if useDiagonalNEON {
		diagonal.run(a)
	} else {
		diagonalGeneric(a)
	}
}

func lowRankRule(a *Diagonal) {
	if useLowRankNEON {
		lowRank.run(a)
	} else {
		lowRankGeneric(a)
	}
}

// ruleName is one of the three: a function value would move the callers' buffers to the heap.
type ruleName uint8

const (
	gated ruleName = iota // uses the Gated part alone
	diagonal
	lowRank
)

func (r ruleName) run(a *Diagonal) {
	step := max(1, callRows/max(1, a.KDim))
	col := 0
	for ; col+block <= a.VDim; col += block {
		for from := 0; from < a.Tokens; from += step {
			r.block(a, from, min(step, a.Tokens-from), col)
		}
	}
	if col < a.VDim {
		r.narrow(a, col)
	}
}

// block runs some tokens over one block of columns.
func (r ruleName) block(a *Diagonal, from, tokens, col int) {
	switch r {
	case gated:
		gatedNEON(&a.Gated, from, tokens, col)
	case diagonal:
		diagonalNEON(a, from, tokens, col)
	case lowRank:
		lowRankNEON(a, from, tokens, col)
	}
}

// narrow runs the columns from col on, fewer than a block, as a whole one with zeros beside them;
// by portable Go if their state does not fit on the stack.
func (r ruleName) narrow(a *Diagonal, col int) {
	b, width := *a, a.VDim-col
	if a.KDim > scratchRows {
		b.O, b.V, b.S, b.VDim = a.O[col:], a.V[col:], a.S[col:], width
		r.generic(&b)
		return
	}
	var state [scratchRows * block]float32
	var o, v [block]float32
	for k := range a.KDim {
		copy(state[k*block:], a.S[k*a.SStride+col:][:width])
	}
	b.S, b.SStride, b.O, b.OStride, b.V, b.VStride = state[:], block, o[:], 0, v[:], 0
	for t := range a.Tokens {
		copy(v[:], a.V[t*a.VStride+col:][:width])
		r.block(&b, t, 1, 0)
		copy(a.O[t*a.OStride+col:][:width], o[:])
	}
	for k := range a.KDim {
		copy(a.S[k*a.SStride+col:][:width], state[k*block:])
	}
}

func (r ruleName) generic(a *Diagonal) {
	switch r {
	case gated:
		gatedGeneric(&a.Gated)
	case diagonal:
		diagonalGeneric(a)
	case lowRank:
		lowRankGeneric(a)
	}
}
