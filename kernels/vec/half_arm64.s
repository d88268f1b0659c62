//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// ARGS: R0 dst, R1 x, R2 groups of 16.
#define ARGS \
	MOVD dst+0(FP), R0 \
	MOVD x+8(FP), R1 \
	MOVD sixteens+16(FP), R2

// WIDEN: V16 to V19 of the 16 elements at R1, by instructions for the lower and the upper four of eight.
#define WIDEN(lower, upper) \
loop: \
	VLD1.P 32(R1), [V0.H8, V1.H8] \
	lower(0, 16) \
	upper(0, 17) \
	lower(1, 18) \
	upper(1, 19) \
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R0) \
	SUBS $1, R2, R2 \
	BNE  loop

// func fromBF16NEON(dst *float32, x *uint16, sixteens int)
// Requires: NEON.
TEXT ·fromBF16NEON(SB), NOSPLIT, $0-24
	ARGS
	WIDEN(shll, shll2)
	RET

// func fromF16NEON(dst *float32, x *uint16, sixteens int)
// Requires: NEON.
TEXT ·fromF16NEON(SB), NOSPLIT, $0-24
	ARGS
	WIDEN(fcvtl, fcvtl2)
	RET

// ROUND: v to bfloat16, in its upper halves.
#define ROUND(v) \
	ushr(16, v, 16) \
	and(29, 16, 16) \
	add(30, 16, 16) \
	add(v, 16, 16) \
	orr(31, v, 17) \
	fcmeq(v, v, v) \
	bsl(17, 16, v)

// func toBF16NEON(dst *uint16, x *float32, sixteens int)
// Requires: NEON. V0 to V3 the elements; V29 ones, V30 0x7fff, V31 the bit that makes a NaN quiet.
TEXT ·toBF16NEON(SB), NOSPLIT, $0-24
	ARGS
	MOVD $1, R3
	VDUP R3, V29.S4
	MOVD $0x7fff, R3
	VDUP R3, V30.S4
	MOVD $0x400000, R3
	VDUP R3, V31.S4

loop:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	ROUND(0)
	ROUND(1)
	ROUND(2)
	ROUND(3)
	shrn(0, 18)
	shrn2(1, 18)
	shrn(2, 19)
	shrn2(3, 19)
	VST1.P [V18.H8, V19.H8], 32(R0)
	SUBS $1, R2, R2
	BNE  loop
	RET

// func toF16NEON(dst *uint16, x *float32, sixteens int)
// Requires: NEON. V0 to V3 the elements.
TEXT ·toF16NEON(SB), NOSPLIT, $0-24
	ARGS

loop:
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	fcvtn(0, 18)
	fcvtn2(1, 18)
	fcvtn(2, 19)
	fcvtn2(3, 19)
	VST1.P [V18.H8, V19.H8], 32(R0)
	SUBS $1, R2, R2
	BNE  loop
	RET
