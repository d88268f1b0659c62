//go:build !purego

package linattn

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useRecurAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	useRecurAVX512 = useRecurAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
)

func init() {
	kernels.Register("linattn.Recur", "AVX2", &useRecurAVX2)
	kernels.Register("linattn.Recur", "AVX512", &useRecurAVX512)
}

const (
	// recurScratch is the size in bytes of the copy of a block of state that the assembly works on:
	// 512 rows of 16 columns or 256 of 32. It is on the stack. A larger block is updated where it lies.
	recurScratch = 1 << 15

	// recurRows bounds KDim·tokens of one call of the assembly, which cannot be preempted, to
	// some 0.2 ms.
	recurRows = 1 << 17
)

//go:noescape
func recurColumnsAVX2(a *Recurrence, from, tokens, col, width int)

//go:noescape
func recurRowsAVX2(a *Recurrence, from, tokens, col, width int)

//go:noescape
func recurReadAVX2(a *Recurrence, from, tokens, col, width int)

//go:noescape
func recurColumnsAVX512(a *Recurrence, from, tokens, col, width int)

//go:noescape
func recurRowsAVX512(a *Recurrence, from, tokens, col, width int)

//go:noescape
func recurReadAVX512(a *Recurrence, from, tokens, col, width int)

func recur(a *Recurrence) {
	if !useRecurAVX2 && !useRecurAVX512 {
		recurGeneric(a)
		return
	}
	block := 16
	if useRecurAVX512 {
		block = 32
	}
	step := max(1, recurRows/max(1, a.KDim))
	for col := 0; col < a.VDim; col += block {
		width := min(block, a.VDim-col)
		if width < block && a.KDim > recurScratch/(4*block) {
			tail := a.columns(col)
			recurGeneric(&tail)
			return
		}
		for from := 0; from < a.Tokens; from += step {
			a.block(from, min(step, a.Tokens-from), col, width)
		}
	}
}

// block runs some tokens over one block of columns.
func (a *Recurrence) block(from, tokens, col, width int) {
	switch {
	case useRecurAVX512 && a.ReadFirst:
		recurReadAVX512(a, from, tokens, col, width)
	case useRecurAVX512 && a.Axis == PerKey:
		recurRowsAVX512(a, from, tokens, col, width)
	case useRecurAVX512:
		recurColumnsAVX512(a, from, tokens, col, width)
	case a.ReadFirst:
		recurReadAVX2(a, from, tokens, col, width)
	case a.Axis == PerKey:
		recurRowsAVX2(a, from, tokens, col, width)
	default:
		recurColumnsAVX2(a, from, tokens, col, width)
	}
}

// columns returns the call for the columns from col on.
func (a *Recurrence) columns(col int) Recurrence {
	b := *a
	b.O, b.V, b.S, b.VDim = a.O[col:], a.V[col:], a.S[col:], a.VDim-col
	if a.Axis == PerValue {
		b.Decay = a.Decay[col:]
	}
	return b
}
