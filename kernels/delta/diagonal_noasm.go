//go:build (!amd64 && !arm64) || purego

package delta

func diagonalRule(a *Diagonal) { diagonalGeneric(a) }

func lowRankRule(a *Diagonal) { lowRankGeneric(a) }
