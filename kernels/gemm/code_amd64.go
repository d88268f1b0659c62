//go:build !purego

package gemm

import (
	"unsafe"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/kernels/quant"
)

var (
	useCodeAVX2       = hasAVX2
	useCodeAVXVNNI    = useQ8AVXVNNI
	useCodeAVX512VNNI = useQ8AVX512VNNI
)

func init() {
	kernels.Register("gemm.Code", "AVX2", &useCodeAVX2)
	kernels.Register("gemm.Code", "AVXVNNI", &useCodeAVXVNNI)
	kernels.Register("gemm.Code", "AVX512VNNI", &useCodeAVX512VNNI)
}

func code(c quant.Code, dst []float32, x quant.Rows8, w []byte, d Dims) {
	tiles := q4AVX2Tiles + 3*multiply(c)
	switch {
	case useCodeAVX512VNNI:
		tiles += 2
	case useCodeAVXVNNI:
		tiles++
	case !useCodeAVX2:
		codeGeneric(c, dst, x, w, d)
		return
	}
	b := block{
		multiply: tiles, dst: dst, rows: x, w: unsafe.Pointer(unsafe.SliceData(w)), size: c.Size(d.K),
		column: c.BlockSize() / quant.Block, scales: c.ScaleSize(), d: d,
	}
	b.cover()
}
