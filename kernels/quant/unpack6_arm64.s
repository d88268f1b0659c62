//go:build !purego

#include "textflag.h"

// JOIN: low and high bits of 16 codes, less 32, to 16·at from R0 on.
#define JOIN(low, high, at) \
	VAND  V29.B16, low.B16, low.B16 \
	VAND  V30.B16, high.B16, high.B16 \
	VORR  high.B16, low.B16, low.B16 \
	VSUB  V31.B16, low.B16, low.B16 \
	ADD   $(16*at), R0, R4 \
	VST1  [low.B16], (R4)

// PIECE: 16 bytes of high bits at R2, with the low ones at R1 and 32 bytes on.
#define PIECE \
	ADD   $32, R1, R4 \
	VLD1  (R4), [V1.B16] \
	VLD1.P 16(R1), [V0.B16] \
	VLD1.P 16(R2), [V2.B16] \
	VSHL  $4, V2.B16, V3.B16 \
	VSHL  $2, V2.B16, V4.B16 \
	VUSHR $2, V2.B16, V5.B16 \
	VUSHR $4, V0.B16, V6.B16 \
	VUSHR $4, V1.B16, V7.B16 \
	JOIN(V0, V3, 0) \
	JOIN(V1, V4, 2) \
	JOIN(V6, V2, 4) \
	JOIN(V7, V5, 6) \
	ADD   $16, R0

// func unpack6NEON(codes *[256]byte, q *[192]byte)
// Requires: NEON. V29 the masks of low bits, V30 of high ones, V31 bytes of 32.
TEXT ·unpack6NEON(SB), NOSPLIT, $0-16
	MOVD  codes+0(FP), R0
	MOVD  q+8(FP), R1
	ADD   $128, R1, R2
	VMOVI $15, V29.B16
	VMOVI $48, V30.B16
	VMOVI $32, V31.B16
	PIECE
	PIECE
	ADD   $32, R1
	ADD   $96, R0
	PIECE
	PIECE
	RET
