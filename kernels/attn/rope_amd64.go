//go:build !purego

package attn

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useRopeAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	useRopeAVX512 = useRopeAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
)

func init() {
	kernels.Register("attn.Rope", "AVX2", &useRopeAVX2)
	kernels.Register("attn.Rope", "AVX512", &useRopeAVX512)
}

//go:noescape
func ropeAVX2(x, cos, sin []float32)

//go:noescape
func ropeAVX512(x, cos, sin []float32)

func rope(x []float32, cos, sin []float32) {
	if useRopeAVX512 {
		ropeAVX512(x, cos, sin)
	} else if useRopeAVX2 {
		ropeAVX2(x, cos, sin)
	} else {
		ropeGeneric(x, cos, sin)
	}
}
