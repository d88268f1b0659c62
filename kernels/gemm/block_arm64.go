//go:build !purego

package gemm

// multiply names a family of tiles: the dispatch switches on it, because a function value would
// move the tile to the heap.
type multiply uint8

const (
	f32NEONTiles multiply = iota
	bf16NEONTiles
	f16NEONTiles
	q8NEONTiles
	q8NEONDOTTiles
)

func (m multiply) run(panels, tokens int, a *tile) {
	switch m {
	case f32NEONTiles:
		f32NEON(panels, tokens, a)
	case bf16NEONTiles:
		bf16NEON(panels, tokens, a)
	case f16NEONTiles:
		f16NEON(panels, tokens, a)
	case q8NEONTiles:
		q8NEON(panels, tokens, a)
	case q8NEONDOTTiles:
		q8NEONDOT(panels, tokens, a)
	}
}

// panels is how many panels a tile of so many tokens takes together: for few tokens enough sums
// to hide the latency of the multiply-adds.
func (m multiply) panels(tokens int) int {
	switch {
	case m == q8NEONTiles:
		return 1
	case tokens == 1:
		return 4
	case tokens == 2:
		return 2
	}
	return 1
}

// tokens is the largest number of tokens of a tile.
func (m multiply) tokens() int {
	if m == q8NEONTiles {
		return 2
	}
	return 5
}

// runLength is how much of k a tile covers at most: of 8-bit elements four times as many.
func (m multiply) runLength() int {
	if m == q8NEONTiles || m == q8NEONDOTTiles {
		return 4 * Run
	}
	return Run
}

// wide reports whether the tiles take 8-bit activations in 16 bits.
func (m multiply) wide() bool { return false }
