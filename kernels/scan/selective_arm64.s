//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "neon_arm64.h"
#include "scan_arm64.h"

// QUARTER: four channels of a row: the state at off(R9), A at off(R16), Dt in dt, Dt·X in dx, the
// sums in s; V12 to V15 are clobbered. A NaN passes the bound.
#define QUARTER(off, dt, dx, s) \
	ldq(off, 16, 12) \
	fmul(dt, 12, 12) \
	fmax(23, 12, 12) \
	fadd(24, 12, 13) \
	fsub(24, 13, 14) \
	fsub(14, 12, 12) \
	mov(26, 14) \
	fmla(12, 25, 14) \
	mov(27, 15) \
	fmla(12, 14, 15) \
	mov(28, 14) \
	fmla(12, 15, 14) \
	mov(29, 15) \
	fmla(12, 14, 15) \
	mov(30, 14) \
	fmla(12, 15, 14) \
	mov(31, 15) \
	fmla(12, 14, 15) \
	shl(23, 13, 13) \
	fmul(13, 15, 15) \
	fmule(0, 16, dx, 12) \
	ldq(off, 9, 13) \
	fmla(13, 15, 12) \
	stq(off, 9, 12) \
	fmlae(0, 17, 12, s)

// func selectiveNEON(a *Selective, from, tokens, col int)
// The scan of one panel. Requires: NEON.
// V0 to V3 sums; V4 to V7 Dt; V8 to V11 Dt·X; V12 to V15 powers and row; V16 b, V17 c; V23 to
// V31 constants; R16 row of A.
TEXT ·selectiveNEON(SB), NOSPLIT, $0-32
	ARGS(Selective_N, Selective_D, Selective_S, Selective_B, Selective_BStride, Selective_C, Selective_CStride, Selective_X, Selective_XStride, Selective_Y, Selective_YStride, Selective_Dt, Selective_DtStride)
	ADD  R14, R5, R5
	MOVD Selective_A(R0), R15
	MOVD Selective_S(R0), R16
	SUB  R16, R15, R15 // from a row of the state to that of A
	MOVD $·constants(SB), R16
	ldq(0, 16, 23)
	ldq(16, 16, 24)
	ldq(32, 16, 25)
	ldq(48, 16, 26)
	ldq(64, 16, 27)
	ldq(80, 16, 28)
	ldq(96, 16, 29)
	ldq(112, 16, 30)
	ldq(128, 16, 31)

token:
	VLD1 (R5), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1 (R3), [V8.S4, V9.S4, V10.S4, V11.S4]
	fmul(4, 8, 8)
	fmul(5, 9, 9)
	fmul(6, 10, 10)
	fmul(7, 11, 11)
	PANEL(Selective_N)

row:
	ADD     R15, R9, R16
	FMOVS.P 4(R10), F16
	FMOVS.P 4(R11), F17
	QUARTER(0, 4, 8, 0)
	QUARTER(16, 5, 9, 1)
	QUARTER(32, 6, 10, 2)
	QUARTER(48, 7, 11, 3)
	ADD     $64, R9, R9
	SUBS    $1, R12, R12
	BNE     row

out:
	VLD1 (R3), [V12.S4, V13.S4, V14.S4, V15.S4]
	OUTPUT(12)
	NEXTROW(Selective_BStride, R1)
	NEXTROW(Selective_CStride, R2)
	NEXTROW(Selective_XStride, R3)
	NEXTROW(Selective_YStride, R4)
	NEXTROW(Selective_DtStride, R5)
	SUBS $1, R6, R6
	BNE  token
	RET
