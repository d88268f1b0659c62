//go:build !purego

package quant

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useColumns16AVX2 = cpu.X86.HasAVX2
	useColumns32AVX2 = cpu.X86.HasAVX2
)

func init() {
	kernels.Register("quant.Columns16", "AVX2", &useColumns16AVX2)
	kernels.Register("quant.Columns32", "AVX2", &useColumns32AVX2)
}

//go:noescape
func columns16AVX2(dst *uint16, rows *[Rows]*byte, octets int)

//go:noescape
func columns32AVX2(dst *uint32, rows *[Rows]*byte, quads int)

// columns16 leaves a panel with missing rows, and the last columns, to the portable code.
func columns16(dst []uint16, rows [][]byte, k int) {
	whole := 0
	if n := k / 8; useColumns16AVX2 && len(rows) == Rows && n > 0 {
		at := starts(rows)
		columns16AVX2(&dst[0], &at, n)
		whole = 8 * n
	}
	columns16Generic(dst, rows, whole, k)
}

// columns32 likewise.
func columns32(dst []uint32, rows [][]byte, k int) {
	whole := 0
	if n := k / 4; useColumns32AVX2 && len(rows) == Rows && n > 0 {
		at := starts(rows)
		columns32AVX2(&dst[0], &at, n)
		whole = 4 * n
	}
	columns32Generic(dst, rows, whole, k)
}

func starts(rows [][]byte) (at [Rows]*byte) {
	for r, row := range rows {
		at[r] = &row[0]
	}
	return at
}
