//go:build !purego

package scan

import "github.com/mminfer/mminfer/kernels"

// Every arm64 processor has NEON.
var (
	useSSDNEON       = true
	useSelectiveNEON = true
)

func init() {
	kernels.Register("scan.SSDScan", "NEON", &useSSDNEON)
	kernels.Register("scan.SelectiveScan", "NEON", &useSelectiveNEON)
}

const (
	// blockTokens is how many tokens a panel absorbs before the next does, so that their B and C
	// stay in the second-level cache.
	blockTokens = 64

	// blockRows bounds N·tokens of one call of the assembly, which cannot be preempted, to some
	// 0.5 ms.
	blockRows = 1 << 16
)

// step is the number of tokens of one call of the assembly.
func step(n int) int { return max(1, min(blockTokens, blockRows/max(1, n))) }

// The assembly runs tokens from on for the whole panel that begins at channel col.

//go:noescape
func ssdNEON(a *SSD, from, tokens, col int)

func ssd(a *SSD) {
	if !useSSDNEON {
		ssdGeneric(a)
		return
	}
	for from := 0; from < a.Tokens; from += step(a.N) {
		tokens := min(step(a.N), a.Tokens-from)
		for col := 0; col < a.P; col += Lanes {
			if col+Lanes <= a.P {
				ssdNEON(a, from, tokens, col)
			} else {
				a.narrow(from, tokens, col)
			}
		}
	}
}

// narrow runs the last channels, fewer than a panel, token by token with zeros beside them.
func (a *SSD) narrow(from, tokens, col int) {
	var x, y, d [Lanes]float32
	b := *a
	b.X, b.XStride, b.Y, b.YStride, b.D, b.S = x[:], 0, y[:], 0, d[:], a.S[col*a.N:]
	copy(d[:], a.D[col:a.P])
	for t := from; t < from+tokens; t++ {
		copy(x[:], a.X[t*a.XStride:][col:a.P])
		ssdNEON(&b, t, 1, 0)
		copy(a.Y[t*a.YStride:][col:a.P], y[:])
	}
}

//go:noescape
func selectiveNEON(a *Selective, from, tokens, col int)

func selective(a *Selective) {
	if !useSelectiveNEON {
		selectiveGeneric(a)
		return
	}
	for from := 0; from < a.Tokens; from += step(a.N) {
		tokens := min(step(a.N), a.Tokens-from)
		for col := 0; col < a.Channels; col += Lanes {
			if col+Lanes <= a.Channels {
				selectiveNEON(a, from, tokens, col)
			} else {
				a.narrow(from, tokens, col)
			}
		}
	}
}

// narrow runs the last channels, fewer than a panel, token by token with zeros beside them.
func (a *Selective) narrow(from, tokens, col int) {
	var x, y, d, dt [Lanes]float32
	b := *a
	b.X, b.XStride, b.Y, b.YStride, b.Dt, b.DtStride = x[:], 0, y[:], 0, dt[:], 0
	b.D, b.A, b.S = d[:], a.A[col*a.N:], a.S[col*a.N:]
	copy(d[:], a.D[col:a.Channels])
	for t := from; t < from+tokens; t++ {
		copy(x[:], a.X[t*a.XStride:][col:a.Channels])
		copy(dt[:], a.Dt[t*a.DtStride:][col:a.Channels])
		selectiveNEON(&b, t, 1, 0)
		copy(a.Y[t*a.YStride:][col:a.Channels], y[:])
	}
}

// constants holds the constants of exp2, one a row, four times, in the order in which the assembly
// loads them.
//
//lint:ignore U1000 read by the assembly
var constants = [...][4]float32{
	splat(exp2Min), splat(exp2Round), splat(exp2c6), splat(exp2c5), splat(exp2c4), splat(exp2c3), splat(exp2c2), splat(exp2c1), splat(1),
}

func splat(c float32) [4]float32 { return [4]float32{c, c, c, c} }
