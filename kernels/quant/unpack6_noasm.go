//go:build (!amd64 && !arm64) || purego

package quant

func unpack6(codes *[256]byte, q *[192]byte) { unpack6Generic(codes, q) }
