//go:build (!amd64 && !arm64) || purego

package linattn

func recur(a *Recurrence) { recurGeneric(a) }
