//go:build !purego

package linattn

import "github.com/mminfer/mminfer/kernels"

var useScanNEON = true

func init() { kernels.Register("linattn.Scan", "NEON", &useScanNEON) }

const (
	// scanTokens bounds the tokens of one call of the assembly, which cannot be preempted.
	scanTokens = 1 << 12

	// scanChannels is how many channels the assembly takes together.
	scanChannels = 32
)

//go:noescape
func scanNEON(a *Gate, from, tokens, col int)

func scan(a *Gate) {
	col := 0
	for ; useScanNEON && col+scanChannels <= a.Channels; col += scanChannels {
		for from := 0; from < a.Tokens; from += scanTokens {
			scanNEON(a, from, min(scanTokens, a.Tokens-from), col)
		}
	}
	if col < a.Channels {
		rest := *a
		rest.O, rest.F, rest.X, rest.H, rest.Channels = a.O[col:], a.F[col:], a.X[col:], a.H[col:], a.Channels-col
		scanGeneric(&rest)
	}
}
