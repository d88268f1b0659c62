//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"

// MOMENT: one vector of a row joins the sums in s and q; f is the first row's, d is clobbered.
#define MOMENT(f, d, s, q) \
	fsub(f, d, d) \
	fadd(d, s, s) \
	fmla(d, d, q)

// func momentsNEON(a *momentsArgs)
// Requires: NEON. Sixteen columns at a time: V0 to V3 first row, V4 to V7 sums, V16 to V19 squares, V20
// to V23 differences; R2 x, R3 stride, R4 rows, R5 columns left; R6 walks the strip's rows, R7 counts.
TEXT ·momentsNEON(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R8
	MOVD momentsArgs_sum(R8), R0
	MOVD momentsArgs_square(R8), R1
	MOVD momentsArgs_x(R8), R2
	MOVD momentsArgs_stride(R8), R3
	MOVD momentsArgs_rows(R8), R4
	MOVD momentsArgs_columns(R8), R5

strip:
	VLD1 (R2), [V0.S4, V1.S4, V2.S4, V3.S4]
	zero(4)
	zero(5)
	zero(6)
	zero(7)
	zero(16)
	zero(17)
	zero(18)
	zero(19)
	MOVD R2, R6
	MOVD R4, R7

row:
	VLD1 (R6), [V20.S4, V21.S4, V22.S4, V23.S4]
	MOMENT(0, 20, 4, 16)
	MOMENT(1, 21, 5, 17)
	MOMENT(2, 22, 6, 18)
	MOMENT(3, 23, 7, 19)
	ADD  R3, R6, R6
	SUBS $1, R7, R7
	BNE  row

	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R0)
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R1)
	ADD  $64, R2, R2
	SUBS $16, R5, R5
	BGT  strip
	RET

// func affineNEON(a *affineArgs)
// Requires: NEON. V0 to V3 elements; V4 to V7 scales; V16 to V19 shifts, then results; R6 to R9 walk
// the row of x, dst, scale and shift, R10 counts.
TEXT ·affineNEON(SB), NOSPLIT, $0-8
	MOVD a+0(FP), R11
	MOVD affineArgs_dst(R11), R0
	MOVD affineArgs_x(R11), R1
	MOVD affineArgs_dstStride(R11), R2
	MOVD affineArgs_xStride(R11), R3
	MOVD affineArgs_rows(R11), R4
	MOVD affineArgs_columns(R11), R5

row:
	MOVD R1, R6
	MOVD R0, R7
	MOVD affineArgs_scale(R11), R8
	MOVD affineArgs_shift(R11), R9
	MOVD R5, R10

loop16:
	VLD1.P 64(R6), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R8), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1.P 64(R9), [V16.S4, V17.S4, V18.S4, V19.S4]
	fmla(4, 0, 16)
	fmla(5, 1, 17)
	fmla(6, 2, 18)
	fmla(7, 3, 19)
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R7)
	SUBS $16, R10, R10
	BGT  loop16

	ADD  R2, R0, R0
	ADD  R3, R1, R1
	SUBS $1, R4, R4
	BNE  row
	RET
