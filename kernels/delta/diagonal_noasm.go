//go:build !amd64 || purego

package delta

func diagonalRule(a *Diagonal) { diagonalGeneric(a) }

func lowRankRule(a *Diagonal) { lowRankGeneric(a) }
