//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// zeros is the bias of sixteen channels where there is none.
GLOBL zeros<>(SB), RODATA|NOPTR, $64

// func tapsNEON(a *tapsArgs)
// Requires: NEON. V0 to V3 sums; V4 to V7 w; V16 to V19 u; R0 dst, R1 init or 0, R2 w, R3 u; R8, R9
// walk the taps, R10 counts them.
TEXT ·tapsNEON(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R11
	MOVD tapsArgs_dst(R11), R0
	MOVD tapsArgs_init(R11), R1
	MOVD tapsArgs_w(R11), R2
	MOVD tapsArgs_u(R11), R3
	MOVD tapsArgs_taps(R11), R4
	MOVD tapsArgs_channels(R11), R5
	MOVD tapsArgs_uStride(R11), R6
	MOVD tapsArgs_wStride(R11), R7
	SUBS $16, R5, R5
	BLT  rest

loop16:
	MOVD R2, R8
	MOVD R3, R9
	MOVD R4, R10
	zero(0)
	zero(1)
	zero(2)
	zero(3)
	CBZ  R1, tap16
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]

tap16:
	VLD1 (R8), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1 (R9), [V16.S4, V17.S4, V18.S4, V19.S4]
	fmla(4, 16, 0)
	fmla(5, 17, 1)
	fmla(6, 18, 2)
	fmla(7, 19, 3)
	ADD  R7, R8
	ADD  R6, R9
	SUBS $1, R10, R10
	BNE  tap16
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	ADD  $64, R2
	ADD  $64, R3
	SUBS $16, R5, R5
	BGE  loop16

rest:
	ADDS $16, R5, R5
	BEQ  done

loop1:
	MOVD R2, R8
	MOVD R3, R9
	MOVD R4, R10
	zero(0)
	CBZ  R1, tap1
	FMOVS.P 4(R1), F0

tap1:
	FMOVS (R8), F4
	FMOVS (R9), F16
	fmla(4, 16, 0)
	ADD  R7, R8
	ADD  R6, R9
	SUBS $1, R10, R10
	BNE  tap1
	FMOVS.P F0, 4(R0)
	ADD  $4, R2
	ADD  $4, R3
	SUBS $1, R5, R5
	BNE  loop1

done:
	RET

// LOAD4, STORE4: sixteen channels of a row.
#define LOAD4(ptr, a, b, c, d) VLD1 (ptr), [a.S4, b.S4, c.S4, d.S4]
#define STORE4(a, b, c, d, ptr) VST1 [a.S4, b.S4, c.S4, d.S4], (ptr)

// TAP: the sums V0 to V3 += the registers from w on times those from u on.
#define TAP(w, u) \
	fmla(w, u, 0) \
	fmla(w+1, u+1, 1) \
	fmla(w+2, u+2, 2) \
	fmla(w+3, u+3, 3)

// AGE: four registers of history become those four before.
#define AGE(u) \
	mov(u, u-4) \
	mov(u+1, u-3) \
	mov(u+2, u-2) \
	mov(u+3, u-1)

// func stripsNEON(a *stripsArgs)
// Requires: NEON. V0 to V3 sums; V4 to V15 the last three inputs, oldest first; V16 to V31 the four
// taps; R0 dst, R1 x, R2 w, R3 bias, R4 tail; R8, R9 walk the tokens, R10 counts them.
TEXT ·stripsNEON(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R11
	MOVD stripsArgs_dst(R11), R0
	MOVD stripsArgs_x(R11), R1
	MOVD stripsArgs_w(R11), R2
	MOVD stripsArgs_bias(R11), R3
	MOVD stripsArgs_tail(R11), R4
	MOVD stripsArgs_strips(R11), R5
	MOVD stripsArgs_dstStride(R11), R6
	MOVD stripsArgs_xStride(R11), R7
	MOVD stripsArgs_stride(R11), R12
	MOVD $64, R13 // from a strip's bias to the next
	CBNZ R3, strip
	MOVD $zeros<>(SB), R3
	MOVD ZR, R13

strip:
	ADD  R12, R2, R14
	ADD  R12, R14, R15
	ADD  R12, R15, R16
	LOAD4(R2, V16, V17, V18, V19)
	LOAD4(R14, V20, V21, V22, V23)
	LOAD4(R15, V24, V25, V26, V27)
	LOAD4(R16, V28, V29, V30, V31)
	ADD  R12, R4, R14
	ADD  R12, R14, R15
	LOAD4(R4, V4, V5, V6, V7)
	LOAD4(R14, V8, V9, V10, V11)
	LOAD4(R15, V12, V13, V14, V15)
	MOVD R0, R8
	MOVD R1, R9
	MOVD stripsArgs_tokens(R11), R10

token:
	LOAD4(R3, V0, V1, V2, V3)
	TAP(16, 4)
	TAP(20, 8)
	TAP(24, 12)
	AGE(8)
	AGE(12)
	LOAD4(R9, V12, V13, V14, V15)
	TAP(28, 12)
	STORE4(V0, V1, V2, V3, R8)
	ADD  R6, R8
	ADD  R7, R9
	SUBS $1, R10, R10
	BNE  token

	STORE4(V4, V5, V6, V7, R4)
	STORE4(V8, V9, V10, V11, R14)
	STORE4(V12, V13, V14, V15, R15)
	ADD  $64, R0
	ADD  $64, R1
	ADD  $64, R2
	ADD  R13, R3
	ADD  $64, R4
	SUBS $1, R5, R5
	BNE  strip
	RET
