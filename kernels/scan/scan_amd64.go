//go:build !purego

package scan

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useSSDAVX2         = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	useSSDAVX512       = useSSDAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
	useSelectiveAVX2   = useSSDAVX2
	useSelectiveAVX512 = useSSDAVX512
)

func init() {
	kernels.Register("scan.SSDScan", "AVX2", &useSSDAVX2)
	kernels.Register("scan.SSDScan", "AVX512", &useSSDAVX512)
	kernels.Register("scan.SelectiveScan", "AVX2", &useSelectiveAVX2)
	kernels.Register("scan.SelectiveScan", "AVX512", &useSelectiveAVX512)
}

const (
	// blockTokens is how many tokens a panel absorbs before the next does, so that their B and C
	// stay in the second-level cache.
	blockTokens = 64

	// blockRows bounds N·tokens of one call of the assembly, which cannot be preempted, to some
	// 0.2 ms.
	blockRows = 1 << 16
)

// step is the number of tokens of one call of the assembly.
func step(n int) int { return max(1, min(blockTokens, blockRows/max(1, n))) }

// The assembly runs tokens from on for the width channels from col on: up to as many panels as
// its name says, all but the last whole.

//go:noescape
func ssd1AVX2(a *SSD, from, tokens, col, width int)

//go:noescape
func ssd2AVX2(a *SSD, from, tokens, col, width int)

//go:noescape
func ssd1AVX512(a *SSD, from, tokens, col, width int)

//go:noescape
func ssd4AVX512(a *SSD, from, tokens, col, width int)

func ssd(a *SSD) {
	if !useSSDAVX2 && !useSSDAVX512 {
		ssdGeneric(a)
		return
	}
	for from := 0; from < a.Tokens; from += step(a.N) {
		tokens := min(step(a.N), a.Tokens-from)
		for col := 0; col < a.P; {
			switch left := a.P - col; {
			case useSSDAVX512 && left > 3*Lanes:
				ssd4AVX512(a, from, tokens, col, min(4*Lanes, left))
				col += 4 * Lanes
			case useSSDAVX512:
				ssd1AVX512(a, from, tokens, col, min(Lanes, left))
				col += Lanes
			case left > Lanes:
				ssd2AVX2(a, from, tokens, col, min(2*Lanes, left))
				col += 2 * Lanes
			default:
				ssd1AVX2(a, from, tokens, col, left)
				col += Lanes
			}
		}
	}
}

//go:noescape
func selectiveAVX2(a *Selective, from, tokens, col, width int)

//go:noescape
func selectiveAVX512(a *Selective, from, tokens, col, width int)

func selective(a *Selective) {
	if !useSelectiveAVX2 && !useSelectiveAVX512 {
		selectiveGeneric(a)
		return
	}
	for from := 0; from < a.Tokens; from += step(a.N) {
		tokens := min(step(a.N), a.Tokens-from)
		for col := 0; col < a.Channels; col += Lanes {
			width := min(Lanes, a.Channels-col)
			if useSelectiveAVX512 {
				selectiveAVX512(a, from, tokens, col, width)
			} else {
				selectiveAVX2(a, from, tokens, col, width)
			}
		}
	}
}

// constants holds the constants of exp2, one a row, eight times: c* in scan_amd64.h are the byte
// offsets of the rows.
//
//lint:ignore U1000 read by the assembly
var constants = [...][8]float32{
	splat(exp2Min), splat(exp2Round), splat(exp2c6), splat(exp2c5), splat(exp2c4), splat(exp2c3), splat(exp2c2), splat(exp2c1), splat(1),
}

// tailMask, read from element 32-n, masks the first n of the lanes that follow.
//
//lint:ignore U1000 read by the assembly
var tailMask = [64]int32{
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
	-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
}

func splat(c float32) [8]float32 { return [8]float32{c, c, c, c, c, c, c, c} }
