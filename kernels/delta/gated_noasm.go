//go:build (!amd64 && !arm64) || purego

package delta

func gatedRule(a *Gated) { gatedGeneric(a) }
