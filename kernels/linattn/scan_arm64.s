//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "neon_arm64.h"

// ROWPTR: reg = address of element R8 of row R6 of a matrix, step = its stride in bytes less 64.
#define ROWPTR(base, stride, reg, step) \
	MOVD stride(R0), step \
	MUL  R6, step, R10 \
	ADD  R8, R10, R10 \
	MOVD base(R0), reg \
	ADD  R10<<2, reg, reg \
	LSL  $2, step, step \
	SUB  $64, step, step

// func scanNEON(a *Gate, from, tokens, col int)
// The scan of 32 channels from col on. Requires: NEON. V0 to V7 h; V16 to V23 x; V24 to V31 f.
TEXT ·scanNEON(SB), NOSPLIT, $0-32
	MOVD a+0(FP), R0
	MOVD from+8(FP), R6
	MOVD tokens+16(FP), R7
	MOVD col+24(FP), R8
	ROWPTR(Gate_F, Gate_FStride, R1, R11)
	ROWPTR(Gate_X, Gate_XStride, R2, R12)
	ROWPTR(Gate_O, Gate_OStride, R3, R13)
	MOVD Gate_H(R0), R4
	ADD  R8<<2, R4, R4
	MOVD R4, R5
	VLD1.P 64(R5), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1 (R5), [V4.S4, V5.S4, V6.S4, V7.S4]

token:
	VLD1.P 64(R1), [V24.S4, V25.S4, V26.S4, V27.S4]
	VLD1 (R1), [V28.S4, V29.S4, V30.S4, V31.S4]
	VLD1.P 64(R2), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1 (R2), [V20.S4, V21.S4, V22.S4, V23.S4]
	fmla(24, 0, 16)
	fmla(25, 1, 17)
	fmla(26, 2, 18)
	fmla(27, 3, 19)
	fmla(28, 4, 20)
	fmla(29, 5, 21)
	fmla(30, 6, 22)
	fmla(31, 7, 23)
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R3)
	VST1 [V20.S4, V21.S4, V22.S4, V23.S4], (R3)
	mov(16, 0)
	mov(17, 1)
	mov(18, 2)
	mov(19, 3)
	mov(20, 4)
	mov(21, 5)
	mov(22, 6)
	mov(23, 7)
	ADD  R11, R1, R1
	ADD  R12, R2, R2
	ADD  R13, R3, R3
	SUBS $1, R7, R7
	BNE  token
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R4)
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R4)
	RET
