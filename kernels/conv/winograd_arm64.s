//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// FOUR: a register each of four rows that lie R6 apart, from r on; r stays.
#define FOUR(r, a, b, c, d) \
	MOVD   r, R10 \
	VLD1.P (R10)(R6), [a.S4] \
	VLD1.P (R10)(R6), [b.S4] \
	VLD1.P (R10)(R6), [c.S4] \
	VLD1   (R10), [d.S4]

// SOURCE: a row of Bᵀ·d, op of the rows of pixels in a0-a3 and b0-b3, and its four products with B to R11 and on.
#define SOURCE(op, a0, a1, a2, a3, b0, b1, b2, b3) \
	op(b0, a0, 24) \
	op(b1, a1, 25) \
	op(b2, a2, 26) \
	op(b3, a3, 27) \
	fsub(26, 24, 28) \
	fadd(26, 25, 29) \
	fsub(25, 26, 30) \
	fsub(27, 25, 31) \
	VST1.P [V28.S4], (R11)(R7) \
	VST1.P [V29.S4], (R11)(R7) \
	VST1.P [V30.S4], (R11)(R7) \
	VST1.P [V31.S4], (R11)(R7)

// func winogradSourceNEON(a *sourceArgs)
// Requires: NEON. R0-R3 the rows of pixels, R6 a column; R4 the output, R7 one of its rows; R5 bytes left. V0 to V7 and
// V16 to V23 the pixels.
TEXT ·winogradSourceNEON(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R9
	MOVD sourceArgs_dst(R9), R4
	MOVD sourceArgs_stride(R9), R7
	MOVD sourceArgs_x(R9), R0
	MOVD sourceArgs_row(R9), R8
	MOVD sourceArgs_column(R9), R6
	MOVD sourceArgs_bytes(R9), R5
	ADD  R8, R0, R1
	ADD  R8, R1, R2
	ADD  R8, R2, R3

loop4:
	FOUR(R0, V0, V1, V2, V3)
	FOUR(R1, V4, V5, V6, V7)
	FOUR(R2, V16, V17, V18, V19)
	FOUR(R3, V20, V21, V22, V23)
	MOVD R4, R11
	SOURCE(fsub, 0, 1, 2, 3, 16, 17, 18, 19)
	SOURCE(fadd, 4, 5, 6, 7, 16, 17, 18, 19)
	SOURCE(fsub, 16, 17, 18, 19, 4, 5, 6, 7)
	SOURCE(fsub, 4, 5, 6, 7, 20, 21, 22, 23)
	ADD  $16, R0
	ADD  $16, R1
	ADD  $16, R2
	ADD  $16, R3
	ADD  $16, R4
	SUBS $16, R5, R5
	BNE  loop4
	RET

// COLUMN: a column of Aᵀ·m, in s and t, from a column of products; m1 and m2 stay.
#define COLUMN(m0, m1, m2, m3, s, t) \
	fadd(m1, m0, s) \
	fadd(m2, s, s) \
	fsub(m2, m1, t) \
	fsub(m3, t, t)

// PAIR: a row of outputs, at y and z, from one of Aᵀ·m, which is clobbered.
#define PAIR(s0, s1, s2, s3, y, z) \
	fadd(s1, s0, s0) \
	fadd(s2, s0, s0) \
	fsub(s2, s1, s1) \
	fsub(s3, s1, s1) \
	ADD  R12, y, R10 \
	ADD  R12, z, R11 \
	VLD1 (R10), [V28.S4] \
	VLD1 (R11), [V29.S4] \
	fadd(28, s0, 28) \
	fadd(29, s1, 29) \
	VST1 [V28.S4], (R10) \
	VST1 [V29.S4], (R11)

// func winogradOutputNEON(a *outputArgs)
// Requires: NEON. R0-R3 the rows of products, R6 one of m's; R13-R16 the outputs, R12 the offset in them; R5 bytes left.
// V0 to V7 and V16 to V23 the products, V24 to V27 and V30, V31, V0, V4 rows of Aᵀ·m.
TEXT ·winogradOutputNEON(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R9
	MOVD outputArgs_y00(R9), R13
	MOVD outputArgs_y01(R9), R14
	MOVD outputArgs_y10(R9), R15
	MOVD outputArgs_y11(R9), R16
	MOVD outputArgs_m(R9), R0
	MOVD outputArgs_stride(R9), R6
	MOVD outputArgs_bytes(R9), R5
	ADD  R6<<2, R0, R1
	ADD  R6<<2, R1, R2
	ADD  R6<<2, R2, R3
	MOVD $0, R12

loop4:
	FOUR(R0, V0, V1, V2, V3)
	FOUR(R1, V4, V5, V6, V7)
	FOUR(R2, V16, V17, V18, V19)
	FOUR(R3, V20, V21, V22, V23)
	COLUMN(0, 4, 16, 20, 24, 30)
	COLUMN(1, 5, 17, 21, 25, 31)
	COLUMN(2, 6, 18, 22, 26, 0)
	COLUMN(3, 7, 19, 23, 27, 4)
	PAIR(24, 25, 26, 27, R13, R14)
	PAIR(30, 31, 0, 4, R15, R16)
	ADD  $16, R0
	ADD  $16, R1
	ADD  $16, R2
	ADD  $16, R3
	ADD  $16, R12
	SUBS $16, R5, R5
	BNE  loop4
	RET
