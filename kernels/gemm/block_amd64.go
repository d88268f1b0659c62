//go:build !purego

package gemm

// multiply names a family of tiles: the dispatch switches on it, because a function value would
// move the tile to the heap.
type multiply uint8

const (
	f32AVX2Tiles multiply = iota
	f32AVX512Tiles
	bf16AVX2Tiles
	bf16AVX512Tiles
	f16AVX2Tiles
	f16AVX512Tiles
	bf16dotAVX2Tiles
	bf16dotAVX512BF16Tiles
	q8AVX2Tiles // from here on 8-bit activations, AVX2, AVX-VNNI and AVX-512 VNNI in turns
	q8AVXVNNITiles
	q8AVX512VNNITiles
	q4AVX2Tiles // in the order of [quant.Code]
	q4AVXVNNITiles
	q4AVX512VNNITiles
	q4lAVX2Tiles
	q4lAVXVNNITiles
	q4lAVX512VNNITiles
	q5AVX2Tiles
	q5AVXVNNITiles
	q5AVX512VNNITiles
	q6AVX2Tiles
	q6AVXVNNITiles
	q6AVX512VNNITiles
)

// eight reports whether a family multiplies 8-bit activations, and vnni whether by AVX-512 VNNI.
func (m multiply) eight() (eight, vnni bool) {
	return m >= q8AVX2Tiles, m >= q8AVX2Tiles && (m-q8AVX2Tiles)%3 == 2
}

func (m multiply) run(panels, tokens int, a *tile) {
	switch m {
	case f32AVX2Tiles:
		f32AVX2(panels, tokens, a)
	case f32AVX512Tiles:
		f32AVX512(panels, tokens, a)
	case bf16AVX2Tiles:
		bf16AVX2(panels, tokens, a)
	case bf16AVX512Tiles:
		bf16AVX512(panels, tokens, a)
	case f16AVX2Tiles:
		f16AVX2(panels, tokens, a)
	case f16AVX512Tiles:
		f16AVX512(panels, tokens, a)
	case bf16dotAVX2Tiles:
		bf16dotAVX2(panels, tokens, a)
	case bf16dotAVX512BF16Tiles:
		bf16dotAVX512BF16(panels, tokens, a)
	case q8AVX2Tiles:
		q8AVX2(panels, tokens, a)
	case q8AVXVNNITiles:
		q8AVXVNNI(panels, tokens, a)
	case q8AVX512VNNITiles:
		q8AVX512VNNI(panels, tokens, a)
	default:
		m.runCode(panels, tokens, a)
	}
}

func (m multiply) runCode(panels, tokens int, a *tile) {
	switch m {
	case q4AVX2Tiles:
		q4AVX2(panels, tokens, a)
	case q4AVXVNNITiles:
		q4AVXVNNI(panels, tokens, a)
	case q4AVX512VNNITiles:
		q4AVX512VNNI(panels, tokens, a)
	case q4lAVX2Tiles:
		q4lAVX2(panels, tokens, a)
	case q4lAVXVNNITiles:
		q4lAVXVNNI(panels, tokens, a)
	case q4lAVX512VNNITiles:
		q4lAVX512VNNI(panels, tokens, a)
	case q5AVX2Tiles:
		q5AVX2(panels, tokens, a)
	case q5AVXVNNITiles:
		q5AVXVNNI(panels, tokens, a)
	case q5AVX512VNNITiles:
		q5AVX512VNNI(panels, tokens, a)
	case q6AVX2Tiles:
		q6AVX2(panels, tokens, a)
	case q6AVXVNNITiles:
		q6AVXVNNI(panels, tokens, a)
	case q6AVX512VNNITiles:
		q6AVX512VNNI(panels, tokens, a)
	}
}

// panels is how many panels a tile of so many tokens takes together: for few tokens enough
// streams to draw on the memory's bandwidth.
func (m multiply) panels(tokens int) int {
	eight, vnni := m.eight()
	switch {
	case m == bf16dotAVX2Tiles:
		return 1
	case tokens == 1, m == f32AVX512Tiles, m == bf16AVX512Tiles, m == f16AVX512Tiles, m == bf16dotAVX512BF16Tiles:
		return 4
	case tokens == 2, vnni, tokens == 3 && !eight:
		return 2
	}
	return 1
}

// tokens is the largest number of tokens of a tile.
func (m multiply) tokens() int {
	if eight, vnni := m.eight(); eight && !vnni || m == bf16dotAVX2Tiles {
		return 4
	}
	return maxTokens
}

// runLength is how much of k a tile covers at most: of 8-bit elements four times as many, half as many pairs.
func (m multiply) runLength() int {
	switch eight, _ := m.eight(); {
	case eight:
		return 4 * Run
	case m == bf16dotAVX2Tiles, m == bf16dotAVX512BF16Tiles:
		return PairRun
	}
	return Run
}

// wide reports whether the tiles take 8-bit activations in 16 bits.
func (m multiply) wide() bool { return m == q8AVX2Tiles }
