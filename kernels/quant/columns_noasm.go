//go:build (!amd64 && !arm64) || purego

package quant

func columns16(*uint16, *[Rows]*byte, int) bool { return false }

func columns32(*uint32, *[Rows]*byte, int) bool { return false }
