//go:build !purego

package attn

import "github.com/mminfer/mminfer/kernels"

var useRopeNEON = true

func init() { kernels.Register("attn.Rope", "NEON", &useRopeNEON) }

//go:noescape
func ropeNEON(x, cos, sin []float32)

func rope(x []float32, cos, sin []float32) {
	if useRopeNEON {
		ropeNEON(x, cos, sin)
	} else {
		ropeGeneric(x, cos, sin)
	}
}
