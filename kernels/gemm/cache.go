package gemm

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels/quant"
)

// fewQueries is the most tokens for which codes are widened in registers, for a few at a time. For more they are
// widened once, to memory.
const fewQueries = 8

// CacheRoom is how many numbers of scratch [Keys] and [Values] take: some panels, which stay in the first-level cache.
const CacheRoom = Run * Rows

// Keys multiplies by 8-bit keys of a cache, which are rows of the weights: codes [Panels(Rows), PanelK, 16] and scales
// [Panels(Rows), Blocks(PanelK), 16]. They widen exactly, see [quant.CacheRows]; otherwise as [F32]. Wide is scratch, [CacheRoom].
func Keys(dst, x []float32, codes []int8, scale []uint16, wide []float32, d Dims, add bool) {
	c := cache{codes, scale, false}
	c.check("Keys", len(dst), len(x), len(wide), d)
	c.multiply(dst, x, wide, d, add)
}

// Values multiplies by 8-bit values of a cache, which are columns of the weights: codes [Panels(Rows), PanelK, 16] and
// scales [Blocks(Rows), PanelK]. They widen exactly, see [quant.CacheColumns]; otherwise as [F32]. Wide is scratch, [CacheRoom].
func Values(dst, x []float32, codes []int8, scale []uint16, wide []float32, d Dims, add bool) {
	c := cache{codes, scale, true}
	c.check("Values", len(dst), len(x), len(wide), d)
	c.multiply(dst, x, wide, d, add)
}

// cache is the weights of a product with keys or values.
type cache struct {
	codes  []int8
	scale  []uint16
	values bool
}

func (c cache) check(name string, dst, x, wide int, d Dims) {
	d.check(name, dst, x, len(c.codes), Rows)
	last, n := max(0, Panels(d.Rows)-1), quant.Blocks(d.K)*Rows // the last panel and its scales
	if c.values {
		n = d.K
	}
	if need := c.scaleAt(d, last, 0) + n; d.Rows > 0 && len(c.scale) < need || wide < CacheRoom {
		panic(fmt.Sprintf("gemm.%s: %+v needs %d scales and %d numbers of scratch, got %d and %d", name, d, need, CacheRoom, len(c.scale), wide))
	}
}

// scaleAt is where the scales of a panel from a column on begin: a multiple of 32 for keys.
func (c cache) scaleAt(d Dims, panel, column int) int {
	if c.values {
		return panel*Rows/quant.Block*d.panelK() + column
	}
	return (panel*quant.Blocks(d.panelK()) + column/quant.Block) * Rows
}

// multiply computes the product, by tiles that widen codes in registers or by some widened panels after others.
func (c cache) multiply(dst, x, wide []float32, d Dims, add bool) {
	if d.Tokens == 0 || d.Tokens <= fewQueries && d.K > 0 && c.tiles(dst, x, wide, d, add) {
		return
	}
	together := max(1, CacheRoom/(max(1, min(d.K, Run))*Rows)) * Rows
	for from := 0; from < d.Rows; from += together {
		for k := 0; k < d.K || k == 0; k += Run {
			e := Dims{Tokens: d.Tokens, Rows: min(together, d.Rows-from), K: min(Run, d.K-k), DstStride: d.DstStride, XStride: d.XStride}
			for i := range Panels(e.Rows) {
				c.widen(wide[i*e.K*Rows:], d, from/Rows+i, k, e.K)
			}
			f32(dst[from:], x[k:], wide, e, add || k > 0)
		}
	}
}

// widen widens n columns of a panel, from a multiple of 32 on.
func (c cache) widen(dst []float32, d Dims, panel, from, n int) {
	codes, scale := c.codes[(panel*d.panelK()+from)*Rows:], c.scale[c.scaleAt(d, panel, from):]
	if c.values {
		quant.CacheColumns(dst, codes, scale, n)
	} else {
		quant.CacheRows(dst, codes, scale, n)
	}
}
