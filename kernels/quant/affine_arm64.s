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

// COLUMN: the codes of 16 rows in q become their elements at R0. V4 to V7 hold scales, V16 to V19 minima.
#define COLUMN(q) \
	sxtlb(q, 21) \
	sxtlb2(q, 23) \
	sxtl(21, 20) \
	sxtl2(21, 21) \
	sxtl(23, 22) \
	sxtl2(23, 23) \
	scvtf(20, 20) \
	scvtf(21, 21) \
	scvtf(22, 22) \
	scvtf(23, 23) \
	fmul(4, 20, 20) \
	fmul(5, 21, 21) \
	fmul(6, 22, 22) \
	fmul(7, 23, 23) \
	fadd(16, 20, 20) \
	fadd(17, 21, 21) \
	fadd(18, 22, 22) \
	fadd(19, 23, 23) \
	VST1.P [V20.S4, V21.S4, V22.S4, V23.S4], 64(R0)

// func affineColumnsNEON(dst *float32, q *byte, scale, least *float32, groups int)
// Requires: NEON. V0 to V3 the codes of four columns.
TEXT ·affineColumnsNEON(SB), NOSPLIT, $0-40
	MOVD dst+0(FP), R0
	MOVD q+8(FP), R1
	MOVD scale+16(FP), R2
	MOVD least+24(FP), R3
	MOVD groups+32(FP), R4

group:
	VLD1.P 64(R2), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1.P 64(R3), [V16.S4, V17.S4, V18.S4, V19.S4]
	MOVD   $4, R5

quad:
	VLD4.P 64(R1), [V0.B16, V1.B16, V2.B16, V3.B16]
	COLUMN(0)
	COLUMN(1)
	COLUMN(2)
	COLUMN(3)
	SUBS   $1, R5, R5
	BNE    quad
	SUBS   $1, R4, R4
	BNE    group
	RET
