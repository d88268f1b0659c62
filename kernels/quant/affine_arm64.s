//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// func affineNEON(dst *float32, q *byte, scale, least *float32, groups int)
// Requires: NEON. V0 to V3 the elements of a group, V4 its scale, V5 its minimum.
TEXT ·affineNEON(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD q+8(FP), R1
	MOVD scale+16(FP), R2
	MOVD least+24(FP), R3
	MOVD groups+32(FP), R4

group:
	VLD1.P  16(R1), [V6.B16]
	FMOVS.P 4(R2), F4
	FMOVS.P 4(R3), F5
	dup(0, 4, 4)
	dup(0, 5, 5)
	sxtlb(6, 1)
	sxtlb2(6, 3)
	sxtl(1, 0)
	sxtl2(1, 1)
	sxtl(3, 2)
	sxtl2(3, 3)
	scvtf(0, 0)
	scvtf(1, 1)
	scvtf(2, 2)
	scvtf(3, 3)
	fmul(4, 0, 0)
	fmul(4, 1, 1)
	fmul(4, 2, 2)
	fmul(4, 3, 3)
	fadd(5, 0, 0)
	fadd(5, 1, 1)
	fadd(5, 2, 2)
	fadd(5, 3, 3)
	VST1.P  [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	SUBS    $1, R4, R4
	BNE     group
	RET
