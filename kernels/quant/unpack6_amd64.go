//go:build !purego

package quant

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var useUnpack6AVX2 = cpu.X86.HasAVX2

func init() { kernels.Register("quant.Unpack6", "AVX2", &useUnpack6AVX2) }

//go:noescape
func unpack6AVX2(codes *[256]byte, q *[192]byte)

func unpack6(codes *[256]byte, q *[192]byte) {
	if useUnpack6AVX2 {
		unpack6AVX2(codes, q)
	} else {
		unpack6Generic(codes, q)
	}
}
