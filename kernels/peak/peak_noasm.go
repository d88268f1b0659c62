//go:build (!amd64 && !arm64) || purego

package peak

func fma(n int) int { return fmaGeneric(n) }

func dot8(n int) int { return dot8Generic(n) }

func read(b []byte) { readGeneric(b) }
