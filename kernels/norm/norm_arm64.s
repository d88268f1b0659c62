//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// SQUARES: the first lane of V4 = the sum of squares of the R4 elements at R1, in the order of
// kernels.Tree16. R5 to R8, V0 to V3 and V5 to V7 are clobbered.
#define SQUARES \
	zero(4) \
	zero(5) \
	zero(6) \
	zero(7) \
	MOVD R1, R5 \
	SUBS $16, R4, R6 \
	BLT  rest \
sum16: \
	VLD1.P 64(R5), [V0.S4, V1.S4, V2.S4, V3.S4] \
	fmla(0, 0, 4) \
	fmla(1, 1, 5) \
	fmla(2, 2, 6) \
	fmla(3, 3, 7) \
	SUBS $16, R6, R6 \
	BGE  sum16 \
rest: \
	ADDS $16, R6, R6 \
	BEQ  tree \
	MOVD $sums-64(SP), R7 \
	MOVD R7, R8 \
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R8) \
sum1: \
	FMOVS.P 4(R5), F0 \
	FMOVS (R7), F1 \
	fmla(0, 0, 1) \
	FMOVS.P F1, 4(R7) \
	SUBS $1, R6, R6 \
	BNE  sum1 \
	VLD1 (R8), [V4.S4, V5.S4, V6.S4, V7.S4] \
tree: \
	fadd(6, 4, 4) \
	fadd(7, 5, 5) \
	fadd(5, 4, 4) \
	ext(8, 4, 4, 5) \
	fadd(5, 4, 4) \
	dup(1, 4, 5) \
	fadd(5, 4, 4)

// INVERSE: every lane of V4 = 1 / sqrt(V4 + eps), eps in F20.
#define INVERSE \
	FADDS F20, F4, F4 \
	FSQRTS F4, F4 \
	FMOVS $1.0, F5 \
	FDIVS F4, F5, F4 \
	dup(0, 4, 4)

// func rmsNEON(dst, x, w []float32, eps float32)
// Requires: NEON. V4 sums, then the factor; V0 to V3 elements; F20 eps; F21 the length of a row, R4;
// R2 elements of x left.
TEXT ·rmsNEON(SB), NOSPLIT, $64-76
	MOVD   dst_base+0(FP), R0
	MOVD   x_base+24(FP), R1
	MOVD   x_len+32(FP), R2
	MOVD   w_base+48(FP), R3
	MOVD   w_len+56(FP), R4
	FMOVS  eps+72(FP), F20
	SCVTFS R4, F21

row:
	SQUARES
	FDIVS F21, F4, F4
	INVERSE
	MOVD  R3, R5
	SUBS  $4, R4, R6
	BLT   last

scale4:
	FMOVQ.P 16(R1), F0
	FMOVQ.P 16(R5), F1
	fmul(4, 0, 0)
	fmul(1, 0, 0)
	FMOVQ.P F0, 16(R0)
	SUBS    $4, R6, R6
	BGE     scale4

last:
	ADDS $4, R6, R6
	BEQ  next

scale1:
	FMOVS.P 4(R1), F0
	FMOVS.P 4(R5), F1
	FMULS   F4, F0, F0
	FMULS   F1, F0, F0
	FMOVS.P F0, 4(R0)
	SUBS    $1, R6, R6
	BNE     scale1

next:
	SUBS R4, R2, R2
	BGT  row
	RET

// func l2NEON(dst, x []float32, d int, eps float32)
// Requires: NEON. V4 sums, then the factor; V0 to V3 elements; F20 eps; R4 the length of a row;
// R2 elements of x left.
TEXT ·l2NEON(SB), NOSPLIT, $64-60
	MOVD  dst_base+0(FP), R0
	MOVD  x_base+24(FP), R1
	MOVD  x_len+32(FP), R2
	MOVD  d+48(FP), R4
	FMOVS eps+56(FP), F20

row:
	SQUARES
	INVERSE
	SUBS $4, R4, R6
	BLT  last

scale4:
	FMOVQ.P 16(R1), F0
	fmul(4, 0, 0)
	FMOVQ.P F0, 16(R0)
	SUBS    $4, R6, R6
	BGE     scale4

last:
	ADDS $4, R6, R6
	BEQ  next

scale1:
	FMOVS.P 4(R1), F0
	FMULS   F4, F0, F0
	FMOVS.P F0, 4(R0)
	SUBS    $1, R6, R6
	BNE     scale1

next:
	SUBS R4, R2, R2
	BGT  row
	RET
