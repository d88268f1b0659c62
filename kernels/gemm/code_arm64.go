//go:build !purego

package gemm

import (
	"unsafe"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/kernels/quant"
)

var (
	useCodeNEON    = true
	useCodeNEONDOT = useQ8NEONDOT
)

func init() {
	kernels.Register("gemm.Code", "NEON", &useCodeNEON)
	kernels.Register("gemm.Code", "NEONDOT", &useCodeNEONDOT)
}

func code(c quant.Code, dst []float32, x quant.Rows8, w []byte, d Dims) {
	tiles := q4NEONTiles + 2*multiply(c)
	switch {
	case useCodeNEONDOT:
		tiles++
	case !useCodeNEON:
		codeGeneric(c, dst, x, w, d)
		return
	}
	b := block{
		multiply: tiles, dst: dst, rows: x, w: unsafe.Pointer(unsafe.SliceData(w)), size: c.Size(d.K),
		column: c.BlockSize() / quant.Block, scales: c.ScaleSize(), d: d,
	}
	b.cover()
}
