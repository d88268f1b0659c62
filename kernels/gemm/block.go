//go:build (amd64 || arm64) && !purego

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

	state uint32 // of pairs of bfloat16: AVX2 keeps the caller's MXCSR here, NEON says that it gave up

	scale, sum, xscale unsafe.Pointer // 8-bit: row scales, block sums of x, block scales of x
	lds                uintptr        // stride of the latter two; in a cache's tiles, of the scales from panel to panel
	times              int            // of a cache's tiles: how often so many panels follow each other
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
	scales int // bytes of a panel's scales of one block, in 8 bits
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
			panel := 0
			if b.d.Tokens == 1 && n > 1 {
				panel = b.apart(n)
			}
			for ; panel < Panels(d.Rows); panel += n {
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

// apart multiplies one token by panels of which those of a tile lie as far apart as they can: the processor's
// prefetching starts anew with each stream of weights, and goes on from panel to panel. It returns how many are done.
func (b *block) apart(n int) int {
	var buf [4][Rows]float32
	d, run := b.d, b.runLength()
	far := d.Rows / Rows / n
	if far < 2 {
		return 0
	}
	a := tile{dst: unsafe.Pointer(&buf), ldw: uintptr(far * b.size)}
	for panel := range far {
		out := b.dst[b.first*d.DstStride+panel*Rows:]
		if b.add {
			for i := range n {
				buf[i] = [Rows]float32(out[i*far*Rows:])
			}
		}
		for from := 0; from < d.K || from == 0; from += run {
			a.w, a.k, a.add = unsafe.Add(b.w, panel*b.size+from*b.column), min(run, d.K-from), b.add || from > 0
			b.source(&a, panel, b.first, from)
			b.run(n, 1, &a)
		}
		for i := range n {
			*(*[Rows]float32)(out[i*far*Rows:]) = buf[i]
		}
	}
	return n * far
}

// source points a tile at token t's elements from column from on.
func (b *block) source(a *tile, panel, t, from int) {
	a.state = 0
	if b.x != nil {
		a.x, a.ldx = unsafe.Add(unsafe.Pointer(unsafe.SliceData(b.x)), (t*b.d.XStride+from)*4), uintptr(b.d.XStride)*4
		return
	}
	blocks, stride := quant.Blocks(b.d.K), quant.Stride(b.d.K)
	a.k = quant.Blocks(min(b.runLength(), b.d.K-from))
	a.scale = unsafe.Add(b.w, panel*b.size+blocks*quant.Block*b.column+from/quant.Block*b.scales)
	a.sum = unsafe.Pointer(unsafe.SliceData(b.rows.Sum[t*blocks+from/quant.Block:]))
	a.xscale = unsafe.Pointer(unsafe.SliceData(b.rows.Scale[t*blocks+from/quant.Block:]))
	a.lds = uintptr(blocks) * 4
	if b.wide() {
		a.x, a.ldx = unsafe.Pointer(unsafe.SliceData(b.rows.Wide[t*stride+from:])), uintptr(stride)*2
	} else {
		a.x, a.ldx = unsafe.Pointer(unsafe.SliceData(b.rows.Q[t*stride+from:])), uintptr(stride)
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

// pairs multiplies by panels of pairs of bfloat16. Tiles read pairs as they read numbers of their size.
func pairs(m multiply, dst []float32, x, w []uint32, d Dims, add bool) {
	numbers := unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
	floats(m, dst, numbers, unsafe.Pointer(unsafe.SliceData(w)), 4, d, add)
}

// floats multiplies by panels of weights of so many bytes.
func floats(m multiply, dst, x []float32, w unsafe.Pointer, size int, d Dims, add bool) {
	b := block{multiply: m, dst: dst, x: x, w: w, size: d.panelK() * Rows * size, column: Rows * size, d: d, add: add}
	b.cover()
}

// q8Tiles multiplies by panels of 8-bit weights.
func q8Tiles(m multiply, dst []float32, x quant.Rows8, w []byte, d Dims) {
	b := block{multiply: m, dst: dst, rows: x, w: unsafe.Pointer(unsafe.SliceData(w)), size: quant.Q8Size(d.K), column: Rows, scales: 2 * Rows, d: d}
	b.cover()
}
