//go:build !purego

package gemm

import (
	"unsafe"

	"github.com/mminfer/mminfer/kernels/quant"
)

// tile is the argument of one assembly tile: some panels by some tokens over one run of k.
// Strides are in bytes.
type tile struct {
	dst, x, w     unsafe.Pointer
	ldd, ldx, ldw uintptr
	k             int  // elements of the run; blocks in the 8-bit tiles
	add           bool // continue from dst

	scale, sum, xscale unsafe.Pointer // 8-bit: row scales, block sums of x, block scales of x
	lds                uintptr        // stride of the latter two
}

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
	q8AVX2Tiles
	q8AVX512VNNITiles
)

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
	case q8AVX2Tiles:
		q8AVX2(panels, tokens, a)
	case q8AVX512VNNITiles:
		q8AVX512VNNI(panels, tokens, a)
	}
}

// panels is how many panels a tile of so many tokens takes together: for few tokens enough
// streams to draw on the memory's bandwidth.
func (m multiply) panels(tokens int) int {
	switch {
	case tokens == 1, m == f32AVX512Tiles, m == bf16AVX512Tiles, m == f16AVX512Tiles:
		return 4
	case tokens == 2, m == q8AVX512VNNITiles, tokens == 3 && m != q8AVX2Tiles:
		return 2
	}
	return 1
}

// tokens is the largest number of tokens of a tile.
func (m multiply) tokens() int {
	if m == q8AVX2Tiles {
		return 4
	}
	return maxTokens
}

// runLength is how much of k a tile covers at most: of 8-bit elements four times as many.
func (m multiply) runLength() int {
	if m == q8AVX2Tiles || m == q8AVX512VNNITiles {
		return 4 * Run
	}
	return Run
}

const (
	// maxTokens is the largest number of tokens of any tile.
	maxTokens = 6
	// blockTokens is how many tokens pass the panels together: a run of them takes 120 KiB, or
	// twice that in 16 bits.
	blockTokens = 120
	// fewTokens take no more than that with all their columns, in the usual models.
	fewTokens = 12
)

// block is the product of some tokens with all rows.
type block struct {
	multiply
	dst    []float32
	x      []float32
	rows   quant.Rows8 // instead of x, in 8 bits
	first  int         // the first of the tokens in rows
	w      unsafe.Pointer
	size   int // bytes of a panel
	column int // bytes of a panel's column
	d      Dims
	add    bool
	groups int // tiles that cover the tokens
}

// cover computes the product with tiles. Some tokens at a time, a run of their columns stays in
// the second-level cache while all panels pass it, and the panel's run in the first while the
// tokens do. Few tokens fit as a whole: the panels, which are then read once, are walked in order.
func (b *block) cover() {
	d := b.d
	for from := 0; from < d.Tokens && d.Rows > 0; from += blockTokens {
		b.first, b.d.Tokens = from, min(blockTokens, d.Tokens-from)
		most, run := b.tokens(), b.runLength()
		b.groups = (b.d.Tokens + most - 1) / most
		n := b.panels((b.d.Tokens + b.groups - 1) / b.groups)
		if b.d.Tokens <= fewTokens {
			for panel := 0; panel < Panels(d.Rows); panel += n {
				for k := 0; k < d.K || k == 0; k += run {
					b.strip(panel, n, k)
				}
			}
			continue
		}
		for k := 0; k < d.K || k == 0; k += run {
			for panel := 0; panel < Panels(d.Rows); panel += n {
				b.strip(panel, n, k)
			}
		}
	}
}

// strip runs the tiles of n panels together, or one by one if they are not all whole, on the run
// of k that begins at from.
func (b *block) strip(panel, n, from int) {
	if (panel+n)*Rows <= b.d.Rows {
		b.tiles(panel, n, from)
		return
	}
	for end := min(panel+n, Panels(b.d.Rows)); panel < end; panel++ {
		b.tiles(panel, 1, from)
	}
}

// tiles runs the tiles of n panels on one run of k.
func (b *block) tiles(panel, n, from int) {
	width := min(b.d.Rows-panel*Rows, n*Rows)
	a := tile{
		ldd: uintptr(b.d.DstStride) * 4, ldw: uintptr(b.size), k: min(b.runLength(), b.d.K-from), add: b.add || from > 0,
		w: unsafe.Add(b.w, panel*b.size+from*b.column),
	}
	for t, g := 0, b.groups; g > 0; g-- {
		tokens := (b.d.Tokens - t + g - 1) / g
		b.source(&a, panel, b.first+t, from)
		out := b.dst[(b.first+t)*b.d.DstStride+panel*Rows:]
		if width%Rows == 0 {
			a.dst = unsafe.Pointer(unsafe.SliceData(out))
			b.run(n, tokens, &a)
		} else {
			b.edge(out, width, tokens, a)
		}
		t += tokens
	}
}

// source points a tile at token t's elements from column from on.
func (b *block) source(a *tile, panel, t, from int) {
	if b.x != nil {
		a.x, a.ldx = unsafe.Add(unsafe.Pointer(unsafe.SliceData(b.x)), (t*b.d.XStride+from)*4), uintptr(b.d.XStride)*4
		return
	}
	blocks, stride := quant.Blocks(b.d.K), quant.Stride(b.d.K)
	a.k = quant.Blocks(min(b.runLength(), b.d.K-from))
	a.scale = unsafe.Add(b.w, panel*b.size+blocks*quant.Block*Rows+from/quant.Block*Rows*2)
	a.sum = unsafe.Pointer(unsafe.SliceData(b.rows.Sum[t*blocks+from/quant.Block:]))
	a.xscale = unsafe.Pointer(unsafe.SliceData(b.rows.Scale[t*blocks+from/quant.Block:]))
	a.lds = uintptr(blocks) * 4
	if b.multiply == q8AVX512VNNITiles {
		a.x, a.ldx = unsafe.Pointer(unsafe.SliceData(b.rows.Q[t*stride+from:])), uintptr(stride)
	} else {
		a.x, a.ldx = unsafe.Pointer(unsafe.SliceData(b.rows.Wide[t*stride+from:])), uintptr(stride)*2
	}
}

// edge runs the tile of a last panel that has fewer than 16 rows, through a buffer.
func (b *block) edge(out []float32, width, tokens int, a tile) {
	var buf [maxTokens * Rows]float32
	if a.add {
		for t := range tokens {
			copy(buf[t*Rows:], out[t*b.d.DstStride:t*b.d.DstStride+width])
		}
	}
	a.dst, a.ldd = unsafe.Pointer(&buf), Rows*4
	b.run(1, tokens, &a)
	for t := range tokens {
		copy(out[t*b.d.DstStride:t*b.d.DstStride+width], buf[t*Rows:])
	}
}
