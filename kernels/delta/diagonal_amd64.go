//go:build !purego

package delta

import "github.com/mminfer/mminfer/kernels"

var (
	useDiagonalAVX2   = useGatedAVX2
	useDiagonalAVX512 = useGatedAVX512
	useLowRankAVX2    = useGatedAVX2
	useLowRankAVX512  = useGatedAVX512
)

func init() {
	kernels.Register("delta.DiagonalRule", "AVX2", &useDiagonalAVX2)
	kernels.Register("delta.DiagonalRule", "AVX512", &useDiagonalAVX512)
	kernels.Register("delta.LowRankRule", "AVX2", &useLowRankAVX2)
	kernels.Register("delta.LowRankRule", "AVX512", &useLowRankAVX512)
}

//go:noescape
func diagonalAVX2(a *Diagonal, from, tokens, col, width int)

//go:noescape
func diagonalAVX512(a *Diagonal, from, tokens, col, width int)

//go:noescape
func lowRankAVX2(a *Diagonal, from, tokens, col, width int)

//go:noescape
func lowRankAVX512(a *Diagonal, from, tokens, col, width int)

func diagonalRule(a *Diagonal) {
	switch {
	case useDiagonalAVX512:
		a.inBlocks(32, false)
	case useDiagonalAVX2:
		a.inBlocks(16, false)
	default:
		diagonalGeneric(a)
	}
}

func lowRankRule(a *Diagonal) {
	switch {
	case useLowRankAVX512:
		a.inBlocks(32, true)
	case useLowRankAVX2:
		a.inBlocks(16, true)
	default:
		lowRankGeneric(a)
	}
}

// inBlocks runs the assembly over blocks of columns, and portable Go over a last block that does
// not fit its scratch.
func (a *Diagonal) inBlocks(block int, lowRank bool) {
	step := max(1, gatedRows/max(1, a.KDim))
	for col := 0; col < a.VDim; col += block {
		width := min(block, a.VDim-col)
		if width < block && a.KDim > gatedScratch/(4*block) {
			tail := *a
			tail.Gated = a.columns(col)
			if lowRank {
				lowRankGeneric(&tail)
			} else {
				diagonalGeneric(&tail)
			}
			return
		}
		for from := 0; from < a.Tokens; from += step {
			n := min(step, a.Tokens-from)
			switch {
			case block == 32 && lowRank:
				lowRankAVX512(a, from, n, col, width)
			case block == 32:
				diagonalAVX512(a, from, n, col, width)
			case lowRank:
				lowRankAVX2(a, from, n, col, width)
			default:
				diagonalAVX2(a, from, n, col, width)
			}
		}
	}
}
