//go:build (!amd64 && !arm64) || purego

package quant

func quantizeRow(x Rows8, t int, row []float32) { quantizeRowGeneric(x, t, row, 0) }
