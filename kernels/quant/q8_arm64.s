//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// TOP: m = the larger |x| of a column, at R4, and m, as integers: exact, and NaN is the largest of all.
#define TOP(m) \
	VLD1.P (R4)(R6), [V16.S4] \
	fabs(16, 16) \
	umax(16, m, m)

// QUANT: four elements of a column, quantised.
#define QUANT(v) \
	fmul(24, v, v) \
	fmin(25, v, v) \
	fmax(26, v, v) \
	fadd(27, v, v)

// EVERY: each lane of v has the bits.
#define EVERY(bits, v) \
	MOVD $bits, R3 \
	VDUP R3, v.S4

// func q8BlockNEON(quants, scales *byte, columns *float32) (ok bool)
// Requires: NEON. V24 inverse scales of four rows, V25 and V26 ±127, V27 1.5·2²³ + 128: the sum has the
// rounded integer plus 128 in its low bits, V28 what four such sums, shifted by 0, 8, 16 and 24, have
// beyond their bytes, V29 the largest scale, V30 ones. It stops and returns false at a NaN.
TEXT ·q8BlockNEON(SB), NOSPLIT, $0-25
	MOVD quants+0(FP), R0
	MOVD scales+8(FP), R1
	MOVD columns+16(FP), R2
	MOVB ZR, ok+24(FP)
	EVERY(0x42fe0000, V25)
	EVERY(0xc2fe0000, V26)
	EVERY(0x4b400080, V27)
	EVERY(0x8b400000, V28)
	EVERY(0x477fe000, V29)
	EVERY(0x3f800000, V30)
	MOVD $64, R6
	MOVD $4, R7

quarter:
	MOVD R2, R4
	MOVD $16, R5
	zero(20)
	zero(21)

top:
	TOP(20)
	TOP(21)
	SUBS $1, R5, R5
	BNE  top
	umax(21, 20, 20)
	fcmeq(20, 20, 21)
	VMOV V21.D[0], R3
	VMOV V21.D[1], R4
	AND  R4, R3, R3
	CMN  $1, R3
	BNE  done

	// The scale, in half precision, and its inverse, 0 for a scale of 0.
	fdiv(25, 20, 20)
	fmin(29, 20, 20)
	fcvtn(20, 21)
	VST1.P [V21.B8], 8(R1)
	fcvtl(21, 20)
	fcmeq0(20, 21)
	fdiv(20, 30, 24)
	bic(21, 24, 24)
	MOVD R2, R4
	MOVD R0, R8
	MOVD $8, R5

quads:
	VLD1.P (R4)(R6), [V0.S4]
	VLD1.P (R4)(R6), [V1.S4]
	VLD1.P (R4)(R6), [V2.S4]
	VLD1.P (R4)(R6), [V3.S4]
	QUANT(0)
	QUANT(1)
	QUANT(2)
	QUANT(3)
	shl(8, 1, 1)
	shl(16, 2, 2)
	shl(24, 3, 3)
	add(1, 0, 0)
	add(3, 2, 2)
	add(2, 0, 0)
	sub(28, 0, 0)
	VST1.P [V0.B16], (R8)(R6)
	SUBS $1, R5, R5
	BNE  quads

	ADD  $16, R0 // four rows on
	ADD  $16, R2
	SUBS $1, R7, R7
	BNE  quarter
	MOVD $1, R3
	MOVB R3, ok+24(FP)

done:
	RET
