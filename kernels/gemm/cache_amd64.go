//go:build !purego

package gemm

import (
	"unsafe"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/kernels/quant"
	"github.com/mminfer/mminfer/kernels/vec"
)

var useCacheAVX2 = hasAVX2

func init() { kernels.Register("gemm.Cache", "AVX2", &useCacheAVX2) }

// cacheTokens is the largest number of tokens of a tile of codes.
const cacheTokens = 4

// tiles computes the product by tiles and reports whether there are any.
func (c cache) tiles(dst, x, wide []float32, d Dims, add bool) bool {
	if !useCacheAVX2 {
		return false
	}
	if c.values {
		n := max(0, quant.Blocks(d.Rows)-1)*d.panelK() + d.K
		if n > len(wide) {
			return false
		}
		vec.FromBF16(wide[:n], c.scale[:n])
	}
	for t := range (d.Tokens + cacheTokens - 1) / cacheTokens {
		e := d
		e.Tokens = min(cacheTokens, d.Tokens-t*cacheTokens)
		c.few(dst[t*cacheTokens*d.DstStride:], x[t*cacheTokens*d.XStride:], wide, e, add)
	}
	return true
}

// few computes the product of at most [cacheTokens]. Scale are those of values.
func (c cache) few(dst, x, scale []float32, d Dims, add bool) {
	for panel := 0; panel < Panels(d.Rows); {
		whole := d.Rows/Rows - panel
		if whole == 0 {
			c.edge(dst[panel*Rows:], x, scale, d, panel, add)
			return
		}
		n, times := 1, whole
		switch {
		case d.Tokens <= 2 && whole > 1:
			n, times = 2, whole/2
		case c.values: // two panels have the same scales
			times = min(whole, 2)
		}
		c.tile(dst[panel*Rows:], d.DstStride, x, scale, d, panel, n, times, add)
		panel += n * times
	}
}

// tile runs the tile of n panels so many times on each run of k.
func (c cache) tile(dst []float32, stride int, x, scale []float32, d Dims, panel, n, times int, add bool) {
	for k := 0; k < d.K; k += Run {
		a := tile{
			dst: unsafe.Pointer(unsafe.SliceData(dst)), ldd: uintptr(stride) * 4,
			x: unsafe.Pointer(unsafe.SliceData(x[k:])), ldx: uintptr(d.XStride) * 4,
			w: unsafe.Pointer(unsafe.SliceData(c.codes[(panel*d.panelK()+k)*Rows:])), ldw: uintptr(d.panelK()) * Rows,
			k: min(Run, d.K-k), add: add || k > 0, times: times,
		}
		if at := c.scaleAt(d, panel, k); c.values {
			a.scale, a.lds = unsafe.Pointer(unsafe.SliceData(scale[at:])), uintptr(n-1)*uintptr(d.panelK())*2
			valuesAVX2(n, d.Tokens, &a)
		} else {
			a.scale, a.lds = unsafe.Pointer(unsafe.SliceData(c.scale[at:])), uintptr(c.scaleAt(d, 1, 0))*2
			keysAVX2(n, d.Tokens, &a)
		}
	}
}

// edge runs the tile of a last panel that has fewer than 16 rows, through a buffer.
func (c cache) edge(dst, x, scale []float32, d Dims, panel int, add bool) {
	var buf [cacheTokens * Rows]float32
	width := d.Rows % Rows
	for t := range d.Tokens {
		copy(buf[t*Rows:], dst[t*d.DstStride:t*d.DstStride+width])
	}
	c.tile(buf[:], Rows, x, scale, d, panel, 1, 1, add)
	for t := range d.Tokens {
		copy(dst[t*d.DstStride:t*d.DstStride+width], buf[t*Rows:])
	}
}
