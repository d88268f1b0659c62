//go:build !purego

package quant

import "github.com/mminfer/mminfer/kernels"

var useAffineNEON = true

func init() {
	kernels.Register("quant.Affine", "NEON", &useAffineNEON)
	kernels.Register("quant.AffineColumns", "NEON", &useAffineNEON)
}

//go:noescape
func affineNEON(dst *float32, q *byte, scale, least *float32, groups int)

func affine(dst []float32, q []byte, scale, least []float32) {
	if useAffineNEON {
		affineNEON(&dst[0], &q[0], &scale[0], &least[0], len(scale))
	} else {
		affineGeneric(dst, q, scale, least)
	}
}

//go:noescape
func affineColumnsNEON(dst *float32, q *byte, scale, least *float32, groups int)

func affineColumns(dst []float32, q []byte, scale, least []float32) {
	if useAffineNEON {
		affineColumnsNEON(&dst[0], &q[0], &scale[0], &least[0], len(scale)/Rows)
	} else {
		affineColumnsGeneric(dst, q, scale, least)
	}
}
