//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// ROTATE: V4, V5 = V0·c - V1·s, V1·c + V0·s with c, s in V2, V3.
#define ROTATE \
	fmul(3, 1, 4) \
	fneg(4, 4) \
	fmul(3, 0, 5) \
	fmla(2, 0, 4) \
	fmla(2, 1, 5)

// func ropeNEON(x, cos, sin []float32)
// Requires: NEON. V0, V1 the halves; V2 cos; V3 sin; R0, R1 the halves, R2 elements of a half.
TEXT ·ropeNEON(SB), NOSPLIT, $0-72
	MOVD x_base+0(FP), R0
	MOVD cos_base+24(FP), R3
	MOVD cos_len+32(FP), R2
	MOVD sin_base+48(FP), R4
	ADD  R2<<2, R0, R1
	SUBS $4, R2, R2
	BLT  rest

loop4:
	FMOVQ   (R0), F0
	FMOVQ   (R1), F1
	FMOVQ.P 16(R3), F2
	FMOVQ.P 16(R4), F3
	ROTATE
	FMOVQ.P F4, 16(R0)
	FMOVQ.P F5, 16(R1)
	SUBS    $4, R2, R2
	BGE     loop4

rest:
	ADDS $4, R2, R2
	BEQ  done

loop1:
	FMOVS   (R0), F0
	FMOVS   (R1), F1
	FMOVS.P 4(R3), F2
	FMOVS.P 4(R4), F3
	ROTATE
	FMOVS.P F4, 4(R0)
	FMOVS.P F5, 4(R1)
	SUBS    $1, R2, R2
	BNE     loop1

done:
	RET
