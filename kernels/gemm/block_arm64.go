//go:build !purego

package gemm

import "unsafe"

// multiply names a family of tiles: the dispatch switches on it, because a function value would
// move the tile to the heap.
type multiply uint8

const (
	f32NEONTiles multiply = iota
	bf16NEONTiles
	f16NEONTiles
	bf16dotNEONTiles
	q8NEONTiles // from here on 8-bit activations, without SDOT and with it in turns
	q8NEONDOTTiles
	q4NEONTiles // in the order of [quant.Code]
	q4NEONDOTTiles
	q4lNEONTiles
	q4lNEONDOTTiles
	q5NEONTiles
	q5NEONDOTTiles
	q6NEONTiles
	q6NEONDOTTiles
)

// eight reports whether a family multiplies 8-bit activations, and dot whether by SDOT.
func (m multiply) eight() (eight, dot bool) {
	return m >= q8NEONTiles, m >= q8NEONTiles && (m-q8NEONTiles)%2 == 1
}

func (m multiply) run(panels, tokens int, a *tile) {
	switch m {
	case f32NEONTiles:
		f32NEON(panels, tokens, a)
	case bf16NEONTiles:
		bf16NEON(panels, tokens, a)
	case f16NEONTiles:
		f16NEON(panels, tokens, a)
	case bf16dotNEONTiles:
		if bf16dotNEON(panels, tokens, a); a.state != 0 {
			a.pairs(panels, tokens)
		}
	case q8NEONTiles:
		q8NEON(panels, tokens, a)
	case q8NEONDOTTiles:
		q8NEONDOT(panels, tokens, a)
	default:
		m.runCode(panels, tokens, a)
	}
}

func (m multiply) runCode(panels, tokens int, a *tile) {
	switch m {
	case q4NEONTiles:
		q4NEON(panels, tokens, a)
	case q4NEONDOTTiles:
		q4NEONDOT(panels, tokens, a)
	case q4lNEONTiles:
		q4lNEON(panels, tokens, a)
	case q4lNEONDOTTiles:
		q4lNEONDOT(panels, tokens, a)
	case q5NEONTiles:
		q5NEON(panels, tokens, a)
	case q5NEONDOTTiles:
		q5NEONDOT(panels, tokens, a)
	case q6NEONTiles:
		q6NEON(panels, tokens, a)
	case q6NEONDOTTiles:
		q6NEONDOT(panels, tokens, a)
	}
}

// panels is how many panels a tile of so many tokens takes together: for few tokens enough sums
// to hide the latency of the multiply-adds.
func (m multiply) panels(tokens int) int {
	eight, dot := m.eight()
	switch {
	case eight && !dot, m == bf16dotNEONTiles:
		return 1
	case tokens == 1:
		return 4
	case tokens == 2 && m <= q8NEONDOTTiles:
		return 2
	}
	return 1
}

// tokens is the largest number of tokens of a tile.
func (m multiply) tokens() int {
	switch eight, dot := m.eight(); {
	case eight && !dot:
		return 2
	case m > q8NEONDOTTiles:
		return 3
	case m == bf16dotNEONTiles:
		return 4
	}
	return 5
}

// runLength is how much of k a tile covers at most: of 8-bit elements four times as many, half as many pairs.
func (m multiply) runLength() int {
	switch eight, _ := m.eight(); {
	case eight:
		return 4 * Run
	case m == bf16dotNEONTiles:
		return PairRun
	}
	return Run
}

// wide reports whether the tiles take 8-bit activations in 16 bits.
func (m multiply) wide() bool { return false }

// pairs computes a tile of pairs of bfloat16 in Go.
func (a *tile) pairs(panels, tokens int) {
	d := Dims{Tokens: tokens, Rows: panels * Rows, K: a.k, DstStride: int(a.ldd) / 4, XStride: int(a.ldx) / 4, PanelK: int(a.ldw) / (4 * Rows)}
	dst := unsafe.Slice((*float32)(a.dst), (tokens-1)*d.DstStride+d.Rows)
	x := unsafe.Slice((*uint32)(a.x), (tokens-1)*d.XStride+d.K)
	w := unsafe.Slice((*uint32)(a.w), ((panels-1)*d.PanelK+d.K)*Rows)
	bf16DotGeneric(dst, x, w, d, a.add)
}
