//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// WIDEN: four codes of V5, 16-bit lanes, by their scales; half is shll or shll2.
#define WIDEN(half, scale, off, v) \
	half(5, v) \
	sshr(16, v, v) \
	scvtf(v, v) \
	fmul(scale, v, v) \
	stq(off, 0, v)

// COLUMN: a column of codes, V4, by the scales of four registers.
#define COLUMN(a, b, c, d) \
	ldq(0, 1, 4) \
	ADD $16, R1 \
	sxtlb(4, 5) \
	WIDEN(shll, a, 0, 6) \
	WIDEN(shll2, b, 16, 7) \
	sxtlb2(4, 5) \
	WIDEN(shll, c, 32, 16) \
	WIDEN(shll2, d, 48, 17) \
	ADD $64, R0

// func cacheRowsNEON(dst *float32, q *int8, scale *uint16, columns int)
// Requires: NEON. V0 to V3 the scales of a block; V4 to V7, V16, V17 a column; R3 columns left, R4 of the block.
TEXT ·cacheRowsNEON(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD q+8(FP), R1
	MOVD scale+16(FP), R2
	MOVD columns+24(FP), R3

block:
	VLD1.P 32(R2), [V4.H8, V5.H8]
	shll(4, 0)
	shll2(4, 1)
	shll(5, 2)
	shll2(5, 3)
	MOVD $32, R4
	CMP  R4, R3
	CSEL LT, R3, R4, R4
	SUB  R4, R3

column:
	COLUMN(0, 1, 2, 3)
	SUBS $1, R4, R4
	BNE  column
	CBNZ R3, block
	RET

// func cacheColumnsNEON(dst *float32, q *int8, scale *uint16, columns int)
// Requires: NEON. V0 the scale; V4 to V7, V16, V17 a column.
TEXT ·cacheColumnsNEON(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD q+8(FP), R1
	MOVD scale+16(FP), R2
	MOVD columns+24(FP), R3

column:
	MOVHU.P 2(R2), R4
	LSL  $16, R4
	VDUP R4, V0.S4
	COLUMN(0, 0, 0, 0)
	SUBS $1, R3, R3
	BNE  column
	RET
