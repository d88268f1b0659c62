//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Bytes 0 1 | 4 5 | 2 3 | 6 7 of each quad of 16-bit elements.
DATA quadOrder<>+0(SB)/8, $0x0706030205040100
DATA quadOrder<>+8(SB)/8, $0x0f0e0b0a0d0c0908
GLOBL quadOrder<>(SB), RODATA|NOPTR, $16

// TOP: d = the larger |x| of registers n and m, as integers: exact, and NaN is the largest of all.
#define TOP(m, n, d) \
	fabs(m, 16) \
	fabs(n, d) \
	umax(16, d, d)

// ROUND: v = v·V25 as an integer, -2³¹ where it does not fit; V26 is clobbered.
#define ROUND(v) \
	fmul(25, v, v) \
	facgt(v, 30, 26) \
	fcvtns(v, v) \
	bif(26, 31, v)

// func quantizeBlocksNEON(q *int8, wide *int16, scale *float32, sum *int32, x *float32, blocks int)
// Requires: NEON. V0 to V7 the block; V17 its maximum; V24 127; V25 inverse; V29 order; V30, V31 ±2³¹.
TEXT ·quantizeBlocksNEON(SB), NOSPLIT, $0-48
	MOVD q+0(FP), R0
	MOVD wide+8(FP), R1
	MOVD scale+16(FP), R2
	MOVD sum+24(FP), R3
	MOVD x+32(FP), R4
	MOVD blocks+40(FP), R5
	MOVD $quadOrder<>(SB), R6
	VLD1 (R6), [V29.B16]
	MOVD $127, R6
	SCVTFS R6, F24
	MOVD $0x4f000000, R6 // 2³¹
	VDUP R6, V30.S4
	MOVD $0x80000000, R6
	VDUP R6, V31.S4
	CBZ  R5, done

block:
	VLD1.P 64(R4), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R4), [V4.S4, V5.S4, V6.S4, V7.S4]
	TOP(0, 1, 17)
	TOP(2, 3, 18)
	TOP(4, 5, 19)
	TOP(6, 7, 20)
	umax(18, 17, 17)
	umax(20, 19, 19)
	umax(19, 17, 17)
	umaxv(17, 17)

	// scale = max/127; inverse = 127/max, 0 for a block of zeros.
	FDIVS   F24, F17, F18
	FMOVS.P F18, 4(R2)
	zero(25)
	FCMPS   $(0.0), F17
	BEQ     round
	FDIVS   F17, F24, F25
	dup(0, 25, 25)

round:
	ROUND(0)
	ROUND(1)
	ROUND(2)
	ROUND(3)
	ROUND(4)
	ROUND(5)
	ROUND(6)
	ROUND(7)
	sqxtn(0, 16)
	sqxtn2(1, 16)
	sqxtn(2, 17)
	sqxtn2(3, 17)
	sqxtn(4, 18)
	sqxtn2(5, 18)
	sqxtn(6, 19)
	sqxtn2(7, 19)
	sqxtnb(16, 20)
	sqxtnb2(17, 20)
	sqxtnb(18, 21)
	sqxtnb2(19, 21)
	VST1.P [V20.B16, V21.B16], 32(R0)

	sxtlb(20, 16)
	sxtlb2(20, 17)
	sxtlb(21, 18)
	sxtlb2(21, 19)
	VTBL   V29.B16, [V16.B16], V16.B16
	VTBL   V29.B16, [V17.B16], V17.B16
	VTBL   V29.B16, [V18.B16], V18.B16
	VTBL   V29.B16, [V19.B16], V19.B16
	VST1.P [V16.H8, V17.H8, V18.H8, V19.H8], 64(R1)

	// sum = -128·Σq
	saddlpb(20, 22)
	saddlpb(21, 23)
	saddlp(22, 22)
	sadalp(23, 22)
	addv(22, 22)
	shl(7, 22, 22)
	zero(23)
	sub(22, 23, 22)
	FMOVS.P F22, 4(R3)

	SUBS $1, R5, R5
	BNE  block

done:
	RET
