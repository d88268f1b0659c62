//go:build !amd64 || purego

package quant

func (c Code) columnsBlock(panel []byte, columns []float32, n, k, b int, importance []float32) {
	c.columnsBlockGeneric(panel, columns, n, k, b, importance)
}
