//go:build !purego

package quant

import "github.com/mminfer/mminfer/kernels"

var useColumns16NEON, useColumns32NEON = true, true

func init() {
	kernels.Register("quant.Columns16", "NEON", &useColumns16NEON)
	kernels.Register("quant.Columns32", "NEON", &useColumns32NEON)
}

//go:noescape
func columns16NEON(dst *uint16, rows *[Rows]*byte, octets int)

//go:noescape
func columns32NEON(dst *uint32, rows *[Rows]*byte, quads int)

// columns16 interleaves eight columns at a time of whole panels, and reports whether it did.
func columns16(dst *uint16, rows *[Rows]*byte, octets int) bool {
	if useColumns16NEON {
		columns16NEON(dst, rows, octets)
	}
	return useColumns16NEON
}

// columns32 does so with four.
func columns32(dst *uint32, rows *[Rows]*byte, quads int) bool {
	if useColumns32NEON {
		columns32NEON(dst, rows, quads)
	}
	return useColumns32NEON
}
