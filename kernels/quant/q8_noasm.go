//go:build (!amd64 && !arm64) || purego

package quant

func q8Block(quants, scales []byte, columns []float32) { q8BlockGeneric(quants, scales, columns) }
