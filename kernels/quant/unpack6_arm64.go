//go:build !purego

package quant

import "github.com/mminfer/mminfer/kernels"

var useUnpack6NEON = true

func init() { kernels.Register("quant.Unpack6", "NEON", &useUnpack6NEON) }

//go:noescape
func unpack6NEON(codes *[256]byte, q *[192]byte)

func unpack6(codes *[256]byte, q *[192]byte) {
	if useUnpack6NEON {
		unpack6NEON(codes, q)
	} else {
		unpack6Generic(codes, q)
	}
}
