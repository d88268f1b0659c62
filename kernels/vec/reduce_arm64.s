//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "vec_arm64.h"

// TREE: the first lane of V4 = the sum of the lanes of V4 to V7 in the order of kernels.Tree16; V5
// is clobbered.
#define TREE \
	fadd(6, 4, 4) \
	fadd(7, 5, 5) \
	fadd(5, 4, 4) \
	ext(8, 4, 4, 5) \
	fadd(5, 4, 4) \
	dup(1, 4, 5) \
	fadd(5, 4, 4)

// ZERO4: no partial sums in V4 to V7.
#define ZERO4 \
	zero(4) \
	zero(5) \
	zero(6) \
	zero(7)

// SPILL: the partial sums V4 to V7 go to the stack, where R5 is the next one of the rest's.
#define SPILL \
	MOVD $sums-64(SP), R5 \
	MOVD R5, R6 \
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R6)

// FILL: they come back.
#define FILL VLD1 (R6), [V4.S4, V5.S4, V6.S4, V7.S4]

// func dotNEON(a, b []float32) float32
// Requires: NEON. V4 to V7 partial sums; V0 to V3 and V16 to V19 elements.
TEXT ·dotNEON(SB), NOSPLIT, $64-52
	MOVD a_base+0(FP), R0
	MOVD a_len+8(FP), R2
	MOVD b_base+24(FP), R1
	ZERO4
	SUBS $16, R2, R2
	BLT  rest

loop16:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R1), [V16.S4, V17.S4, V18.S4, V19.S4]
	fmla(0, 16, 4)
	fmla(1, 17, 5)
	fmla(2, 18, 6)
	fmla(3, 19, 7)
	SUBS $16, R2, R2
	BGE  loop16

rest:
	ADDS $16, R2, R2
	BEQ  tree
	SPILL

loop1:
	FMOVS.P 4(R0), F0
	FMOVS.P 4(R1), F1
	FMOVS   (R5), F2
	fmla(0, 1, 2)
	FMOVS.P F2, 4(R5)
	SUBS $1, R2, R2
	BNE  loop1
	FILL

tree:
	TREE
	FMOVS F4, ret+48(FP)
	RET

// func sumNEON(x []float32) float32
// Requires: NEON. V4 to V7 partial sums; V0 to V3 elements.
TEXT ·sumNEON(SB), NOSPLIT, $64-28
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	ZERO4
	SUBS $16, R2, R2
	BLT  rest

loop16:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	fadd(0, 4, 4)
	fadd(1, 5, 5)
	fadd(2, 6, 6)
	fadd(3, 7, 7)
	SUBS $16, R2, R2
	BGE  loop16

rest:
	ADDS $16, R2, R2
	BEQ  tree
	SPILL

loop1:
	FMOVS.P 4(R0), F0
	FMOVS   (R5), F2
	FADDS   F0, F2, F2
	FMOVS.P F2, 4(R5)
	SUBS $1, R2, R2
	BNE  loop1
	FILL

tree:
	TREE
	FMOVS F4, ret+24(FP)
	RET

// func maximumNEON(x []float32) float32
// Requires: NEON. V4 to V7 the largest so far, NaN after a NaN; V0 to V3 elements.
TEXT ·maximumNEON(SB), NOSPLIT, $0-28
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R2
	MOVD $·constants(SB), R10
	K(cNInf, 4)
	mov(4, 5)
	mov(4, 6)
	mov(4, 7)
	SUBS $16, R2, R2
	BLT  rest

loop16:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	fmax(0, 4, 4)
	fmax(1, 5, 5)
	fmax(2, 6, 6)
	fmax(3, 7, 7)
	SUBS $16, R2, R2
	BGE  loop16

rest:
	ADDS $16, R2, R2
	BEQ  tree

loop1:
	ld1r(0, 0)
	ADD  $4, R0, R0
	fmax(0, 4, 4)
	SUBS $1, R2, R2
	BNE  loop1

tree:
	fmax(6, 4, 4)
	fmax(7, 5, 5)
	fmax(5, 4, 4)
	fmaxv(4, 4)
	zero(0)
	fadd(0, 4, 4) // a zero is +0
	FMOVS F4, ret+24(FP)
	RET

// STEP: V16 = exp(V0·scale - shift), by way of V1 to V3.
#define STEP \
	mov(21, 16) \
	fmla(0, 20, 16) \
	EXP(16, 1, 2, 3)

// QUARTER: a step of four elements whose sums are in s.
#define QUARTER(s) \
	FMOVQ.P 16(R1), F0 \
	STEP \
	FMOVQ.P F16, 16(R0) \
	fadd(16, s, s)

// func expSumNEON(dst, x []float32, scale, shift float32) float32
// Requires: NEON. V0 to V3 and V16 work; V4 to V7 partial sums; V20 scale; V21 minus shift.
TEXT ·expSumNEON(SB), NOSPLIT, $64-60
	MOVD  dst_base+0(FP), R0
	MOVD  dst_len+8(FP), R2
	MOVD  x_base+24(FP), R1
	FMOVS scale+48(FP), F20
	FMOVS shift+52(FP), F21
	MOVD  $·constants(SB), R10
	dup(0, 20, 20)
	dup(0, 21, 21)
	fneg(21, 21)
	ZERO4
	SUBS  $16, R2, R2
	BLT   rest

loop16:
	QUARTER(4)
	QUARTER(5)
	QUARTER(6)
	QUARTER(7)
	SUBS $16, R2, R2
	BGE  loop16

rest:
	ADDS $16, R2, R2
	BEQ  tree
	SPILL

loop1:
	FMOVS.P 4(R1), F0
	STEP
	FMOVS.P F16, 4(R0)
	FMOVS   (R5), F2
	FADDS   F16, F2, F2
	FMOVS.P F2, 4(R5)
	SUBS $1, R2, R2
	BNE  loop1
	FILL

tree:
	TREE
	FMOVS F4, ret+56(FP)
	RET
