//go:build !purego

package quant

import "github.com/mminfer/mminfer/kernels"

var useAffineNEON = true

func init() { kernels.Register("quant.Affine", "NEON", &useAffineNEON) }

//go:noescape
func affineNEON(dst *float32, q *byte, scale, least *float32, groups int)

func affine(dst []float32, q []byte, scale, least []float32) {
	if useAffineNEON {
		affineNEON(&dst[0], &q[0], &scale[0], &least[0], len(scale))
	} else {
		affineGeneric(dst, q, scale, least)
	}
}
