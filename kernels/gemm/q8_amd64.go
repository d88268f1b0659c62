//go:build !purego

package gemm

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/kernels/quant"
)

var (
	useQ8AVX2       = hasAVX2
	useQ8AVX512VNNI = hasAVX512 && cpu.X86.HasAVX512VNNI
)

func init() {
	kernels.Register("gemm.Q8", "AVX2", &useQ8AVX2)
	kernels.Register("gemm.Q8", "AVX512VNNI", &useQ8AVX512VNNI)
}

func q8(dst []float32, x quant.Rows8, w []byte, d Dims) {
	switch {
	case useQ8AVX512VNNI:
		q8Tiles(dst, x, w, d, 2, 6)
	case useQ8AVX2:
		q8Tiles(dst, x, w, d, 1, 4)
	default:
		q8Generic(dst, x, w, d)
	}
}

// q8Tiles covers dst with tiles of so many panels by at most so many tokens.
func q8Tiles(dst []float32, x quant.Rows8, w []byte, d Dims, together, most int) {
	if d.Tokens == 0 || d.Rows == 0 {
		return
	}
	nb, size := quant.Blocks(d.K), quant.Q8Size(d.K)
	groups := (d.Tokens + most - 1) / most
	a := tile{ldd: uintptr(d.DstStride) * 4, ldw: uintptr(size), k: nb, lds: uintptr(nb) * 4}
	for panel := 0; panel < Panels(d.Rows); {
		n := together
		if (panel+n)*Rows > d.Rows {
			n = 1
		}
		width := min(d.Rows-panel*Rows, n*Rows)
		a.w = unsafe.Pointer(unsafe.SliceData(w[panel*size:]))
		a.scale = unsafe.Add(a.w, nb*quant.Block*Rows)
		for t, g := 0, groups; g > 0; g-- {
			tokens := (d.Tokens - t + g - 1) / g
			a.sum = unsafe.Pointer(unsafe.SliceData(x.Sum[t*nb:]))
			a.xscale = unsafe.Pointer(unsafe.SliceData(x.Scale[t*nb:]))
			out := dst[t*d.DstStride+panel*Rows:]
			if width%Rows == 0 {
				a.dst = unsafe.Pointer(unsafe.SliceData(out))
				q8Tile(x, t*nb*quant.Block, n, tokens, &a)
			} else {
				q8Edge(out, d.DstStride, width, x, t*nb*quant.Block, tokens, a)
			}
			t += tokens
		}
		panel += n
	}
}

// q8Tile runs one tile on the tokens whose quantised elements begin at from.
func q8Tile(x quant.Rows8, from, panels, tokens int, a *tile) {
	if useQ8AVX512VNNI {
		a.x, a.ldx = unsafe.Pointer(unsafe.SliceData(x.Q[from:])), uintptr(a.k)*quant.Block
		q8AVX512VNNI(panels, tokens, a)
	} else {
		a.x, a.ldx = unsafe.Pointer(unsafe.SliceData(x.Wide[from:])), uintptr(a.k)*quant.Block*2
		q8AVX2(panels, tokens, a)
	}
}

// q8Edge runs the tile of a last panel that has fewer than 16 rows, through a buffer.
func q8Edge(out []float32, stride, width int, x quant.Rows8, from, tokens int, a tile) {
	var buf [maxTokens * Rows]float32
	a.dst, a.ldd = unsafe.Pointer(&buf), Rows*4
	q8Tile(x, from, 1, tokens, &a)
	for t := range tokens {
		copy(out[t*stride:t*stride+width], buf[t*Rows:])
	}
}
