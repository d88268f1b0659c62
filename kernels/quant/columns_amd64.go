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

// columns16 interleaves eight columns at a time of whole panels, and reports whether it did.
func columns16(dst *uint16, rows *[Rows]*byte, octets int) bool {
	if useColumns16AVX2 {
		columns16AVX2(dst, rows, octets)
	}
	return useColumns16AVX2
}

// columns32 does so with four.
func columns32(dst *uint32, rows *[Rows]*byte, quads int) bool {
	if useColumns32AVX2 {
		columns32AVX2(dst, rows, quads)
	}
	return useColumns32AVX2
}
