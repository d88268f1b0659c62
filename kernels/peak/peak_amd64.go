//go:build !purego

package peak

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useAVX2       = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	useAVXVNNI    = useAVX2 && cpu.X86.HasAVXVNNI
	useAVX512     = useAVX2 && cpu.X86.HasAVX512F
	useAVX512VNNI = useAVX512 && cpu.X86.HasAVX512VNNI
)

func init() {
	kernels.Register("peak.FMA", "AVX2", &useAVX2)
	kernels.Register("peak.FMA", "AVXVNNI", &useAVXVNNI)
	kernels.Register("peak.FMA", "AVX512", &useAVX512)
	kernels.Register("peak.FMA", "AVX512VNNI", &useAVX512VNNI)
}

//go:noescape
func fmaAVX2(n int)

//go:noescape
func fmaAVX512(n int)

//go:noescape
func dot8AVX2(n int)

//go:noescape
func dot8AVXVNNI(n int)

//go:noescape
func dot8AVX512VNNI(n int)

//go:noescape
func readAVX2(p *byte, lines int)

func fma(n int) int {
	switch {
	case useAVX512:
		fmaAVX512(n)
		return n * 12 * 16 * 2
	case useAVX2:
		fmaAVX2(n)
		return n * 12 * 8 * 2
	}
	return fmaGeneric(n)
}

func dot8(n int) int {
	switch {
	case useAVX512VNNI:
		dot8AVX512VNNI(n)
		return n * 12 * 64 * 2
	case useAVXVNNI:
		dot8AVXVNNI(n)
		return n * 12 * 32 * 2
	case useAVX2:
		dot8AVX2(n)
		return n * 12 * 16 * 2
	}
	return dot8Generic(n)
}

func read(b []byte) {
	if lines := len(b) / 64; useAVX2 && lines > 0 {
		readAVX2(&b[0], lines)
		return
	}
	readGeneric(b)
}
