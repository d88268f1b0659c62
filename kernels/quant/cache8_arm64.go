//go:build !purego

package quant

import "github.com/mminfer/mminfer/kernels"

var useCache8NEON = true

func init() { kernels.Register("quant.Cache8", "NEON", &useCache8NEON) }

//go:noescape
func cacheRowsNEON(dst *float32, q *int8, scale *uint16, columns int)

//go:noescape
func cacheColumnsNEON(dst *float32, q *int8, scale *uint16, columns int)

func cacheRows(dst []float32, q []int8, scale []uint16, n int) {
	if useCache8NEON && n > 0 {
		cacheRowsNEON(&dst[0], &q[0], &scale[0], n)
	} else {
		cacheRowsGeneric(dst, q, scale, n)
	}
}

func cacheColumns(dst []float32, q []int8, scale []uint16, n int) {
	if useCache8NEON && n > 0 {
		cacheColumnsNEON(&dst[0], &q[0], &scale[0], n)
	} else {
		cacheColumnsGeneric(dst, q, scale, n)
	}
}
