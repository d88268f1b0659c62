//go:build !amd64 || purego

package linattn

func scan(a *Gate) { scanGeneric(a) }
