//go:build !purego

package gemm

import (
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	hasAVX2       = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	hasAVX512     = hasAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
	useF32AVX2    = hasAVX2
	useF32AVX512  = hasAVX512
	useBF16AVX2   = hasAVX2
	useBF16AVX512 = hasAVX512
	useF16AVX2    = hasAVX2 // every processor with AVX2 has F16C
	useF16AVX512  = hasAVX512
)

func init() {
	kernels.Register("gemm.F32", "AVX2", &useF32AVX2)
	kernels.Register("gemm.F32", "AVX512", &useF32AVX512)
	kernels.Register("gemm.BF16", "AVX2", &useBF16AVX2)
	kernels.Register("gemm.BF16", "AVX512", &useBF16AVX512)
	kernels.Register("gemm.F16", "AVX2", &useF16AVX2)
	kernels.Register("gemm.F16", "AVX512", &useF16AVX512)
}

// tile is the argument of one assembly tile: some panels by some tokens over one run of k.
// Strides are in bytes.
type tile struct {
	dst, x, w     unsafe.Pointer
	ldd, ldx, ldw uintptr
	k             int  // elements of the run; blocks in the 8-bit tiles
	add           bool // add to dst

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
	}
}

// panels is how many panels a tile of so many tokens takes together.
func (m multiply) panels(tokens int) int {
	switch m {
	case f32AVX512Tiles, bf16AVX512Tiles, f16AVX512Tiles:
		return 4
	}
	switch tokens {
	case 1:
		return 4
	case 2, 3:
		return 2
	}
	return 1
}

func f32(dst, x, w []float32, d Dims, add bool) {
	switch {
	case useF32AVX512:
		floats(f32AVX512Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 4, d, add)
	case useF32AVX2:
		floats(f32AVX2Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 4, d, add)
	default:
		f32Generic(dst, x, w, d, add)
	}
}

func bf16(dst, x []float32, w []uint16, d Dims, add bool) {
	switch {
	case useBF16AVX512:
		floats(bf16AVX512Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 2, d, add)
	case useBF16AVX2:
		floats(bf16AVX2Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 2, d, add)
	default:
		bf16Generic(dst, x, w, d, add)
	}
}

func f16(dst, x []float32, w []uint16, d Dims, add bool) {
	switch {
	case useF16AVX512:
		floats(f16AVX512Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 2, d, add)
	case useF16AVX2:
		floats(f16AVX2Tiles, dst, x, unsafe.Pointer(unsafe.SliceData(w)), 2, d, add)
	default:
		f16Generic(dst, x, w, d, add)
	}
}

// floats covers dst with tiles. A run of a panel stays in the first-level cache while all tokens
// pass it; the sums of later runs are added to dst.
func floats(m multiply, dst, x []float32, w unsafe.Pointer, size int, d Dims, add bool) {
	if d.Tokens == 0 || d.Rows == 0 {
		return
	}
	groups := (d.Tokens + maxTokens - 1) / maxTokens
	together := m.panels((d.Tokens + groups - 1) / groups)
	a := tile{ldd: uintptr(d.DstStride) * 4, ldx: uintptr(d.XStride) * 4, ldw: uintptr(d.panelK() * Rows * size)}
	for panel := 0; panel < Panels(d.Rows); {
		n := together
		if (panel+n)*Rows > d.Rows {
			n = 1
		}
		width := min(d.Rows-panel*Rows, n*Rows)
		for from := 0; from < d.K || from == 0; from += Run {
			a.k = min(Run, d.K-from)
			a.add = add || from > 0
			a.w = unsafe.Add(w, (panel*d.panelK()+from)*Rows*size)
			for t, g := 0, groups; g > 0; g-- {
				tokens := (d.Tokens - t + g - 1) / g
				a.x = unsafe.Add(unsafe.Pointer(unsafe.SliceData(x)), (t*d.XStride+from)*4)
				out := dst[t*d.DstStride+panel*Rows:]
				if width%Rows == 0 {
					a.dst = unsafe.Pointer(unsafe.SliceData(out))
					m.run(n, tokens, &a)
				} else {
					m.edge(out, d.DstStride, width, tokens, a)
				}
				t += tokens
			}
		}
		panel += n
	}
}

// maxTokens is the largest number of tokens of a tile.
const maxTokens = 6

// edge runs the tile of a last panel that has fewer than 16 rows, through a buffer.
func (m multiply) edge(out []float32, stride, width, tokens int, a tile) {
	var buf [maxTokens * Rows]float32
	if a.add {
		for t := range tokens {
			copy(buf[t*Rows:], out[t*stride:t*stride+width])
		}
	}
	a.dst, a.ldd = unsafe.Pointer(&buf), Rows*4
	m.run(1, tokens, &a)
	for t := range tokens {
		copy(out[t*stride:t*stride+width], buf[t*Rows:])
	}
}
