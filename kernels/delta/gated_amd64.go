//go:build !purego

package delta

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useGatedAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	useGatedAVX512 = useGatedAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
)

func init() {
	kernels.Register("delta.GatedRule", "AVX2", &useGatedAVX2)
	kernels.Register("delta.GatedRule", "AVX512", &useGatedAVX512)
}

const (
	// gatedScratch is the size in bytes of the copy of a block of state that the assembly works on:
	// 512 rows of 16 columns or 256 of 32. It is on the stack. A larger block is updated where it lies.
	gatedScratch = 1 << 15

	// gatedRows bounds KDim·tokens of one call of the assembly, which cannot be preempted, to
	// some 0.2 ms.
	gatedRows = 1 << 17
)

//go:noescape
func gatedAVX2(a *Gated, from, tokens, col, width int)

//go:noescape
func gatedAVX512(a *Gated, from, tokens, col, width int)

func gatedRule(a *Gated) {
	if !useGatedAVX2 && !useGatedAVX512 {
		gatedGeneric(a)
		return
	}
	block := 16
	if useGatedAVX512 {
		block = 32
	}
	step := max(1, gatedRows/max(1, a.KDim))
	for col := 0; col < a.VDim; col += block {
		width := min(block, a.VDim-col)
		if width < block && a.KDim > gatedScratch/(4*block) {
			tail := a.columns(col)
			gatedGeneric(&tail)
			return
		}
		for from := 0; from < a.Tokens; from += step {
			if useGatedAVX512 {
				gatedAVX512(a, from, min(step, a.Tokens-from), col, width)
			} else {
				gatedAVX2(a, from, min(step, a.Tokens-from), col, width)
			}
		}
	}
}

// columns returns the call for the columns from col on.
func (a *Gated) columns(col int) Gated {
	b := *a
	b.O, b.V, b.S, b.VDim = a.O[col:], a.V[col:], a.S[col:], a.VDim-col
	return b
}
