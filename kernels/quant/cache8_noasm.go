//go:build (!amd64 && !arm64) || purego

package quant

func cacheRows(dst []float32, q []int8, scale []uint16, n int) { cacheRowsGeneric(dst, q, scale, n) }

func cacheColumns(dst []float32, q []int8, scale []uint16, n int) {
	cacheColumnsGeneric(dst, q, scale, n)
}
