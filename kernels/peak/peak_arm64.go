//go:build !purego

package peak

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useNEON    = true
	useNEONDOT = cpu.ARM64.HasASIMDDP
)

func init() {
	kernels.Register("peak.FMA", "NEON", &useNEON)
	kernels.Register("peak.FMA", "NEONDOT", &useNEONDOT)
}

//go:noescape
func fmaNEON(n int)

//go:noescape
func dot8NEON(n int)

//go:noescape
func dot8NEONDOT(n int)

//go:noescape
func readNEON(p *byte, lines int)

func fma(n int) int {
	if useNEON || useNEONDOT {
		fmaNEON(n)
		return n * 24 * 4 * 2
	}
	return fmaGeneric(n)
}

func dot8(n int) int {
	switch {
	case useNEONDOT:
		dot8NEONDOT(n)
		return n * 24 * 16 * 2
	case useNEON:
		dot8NEON(n)
		return n * 8 * 16 * 2
	}
	return dot8Generic(n)
}

func read(b []byte) {
	if lines := len(b) / 64; (useNEON || useNEONDOT) && lines > 0 {
		readNEON(&b[0], lines)
		return
	}
	readGeneric(b)
}
