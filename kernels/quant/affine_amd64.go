//go:build !purego

package quant

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var useAffineAVX2 = cpu.X86.HasAVX2

func init() {
	kernels.Register("quant.Affine", "AVX2", &useAffineAVX2)
	kernels.Register("quant.AffineColumns", "AVX2", &useAffineAVX2)
}

//go:noescape
func affineAVX2(dst *float32, q *byte, scale, least *float32, groups int)

func affine(dst []float32, q []byte, scale, least []float32) {
	if useAffineAVX2 {
		affineAVX2(&dst[0], &q[0], &scale[0], &least[0], len(scale))
	} else {
		affineGeneric(dst, q, scale, least)
	}
}

//go:noescape
func affineColumnsAVX2(dst *float32, q *byte, scale, least *float32, groups int)

func affineColumns(dst []float32, q []byte, scale, least []float32) {
	if useAffineAVX2 {
		affineColumnsAVX2(&dst[0], &q[0], &scale[0], &least[0], len(scale)/Rows)
	} else {
		affineColumnsGeneric(dst, q, scale, least)
	}
}
