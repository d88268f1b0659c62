//go:build !amd64 || purego

package quant

func columns16(dst []uint16, rows [][]byte, k int) { columns16Generic(dst, rows, 0, k) }

func columns32(dst []uint32, rows [][]byte, k int) { columns32Generic(dst, rows, 0, k) }
