//go:build !purego

package linattn

import "github.com/mminfer/mminfer/kernels"

var (
	useScanAVX2   = useRecurAVX2
	useScanAVX512 = useRecurAVX512
)

func init() {
	kernels.Register("linattn.Scan", "AVX2", &useScanAVX2)
	kernels.Register("linattn.Scan", "AVX512", &useScanAVX512)
}

// scanTokens bounds the tokens of one call of the assembly, which cannot be preempted.
const scanTokens = 1 << 12

//go:noescape
func scanAVX2(a *Gate, from, tokens, col int)

//go:noescape
func scanAVX512(a *Gate, from, tokens, col int)

func scan(a *Gate) {
	block := 0
	if useScanAVX512 {
		block = 64
	} else if useScanAVX2 {
		block = 32
	}
	col := 0
	for ; block > 0 && col+block <= a.Channels; col += block {
		for from := 0; from < a.Tokens; from += scanTokens {
			if useScanAVX512 {
				scanAVX512(a, from, min(scanTokens, a.Tokens-from), col)
			} else {
				scanAVX2(a, from, min(scanTokens, a.Tokens-from), col)
			}
		}
	}
	if col < a.Channels {
		rest := *a
		rest.O, rest.F, rest.X, rest.H, rest.Channels = a.O[col:], a.F[col:], a.X[col:], a.H[col:], a.Channels-col
		scanGeneric(&rest)
	}
}
