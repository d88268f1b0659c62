//go:build (!amd64 && !arm64) || purego

package linattn

func scan(a *Gate) { scanGeneric(a) }
