//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "vec_arm64.h"

// ARGS: R0 dst, R1 x, R2 elements, R10 the constants.
#define ARGS \
	MOVD dst_base+0(FP), R0 \
	MOVD dst_len+8(FP), R2 \
	MOVD x_base+24(FP), R1 \
	MOVD $·constants(SB), R10

// LOG: V0 = ln V0, by way of V1 to V7.
#define LOG \
	mov(0, 4) \
	K(cTiny, 1) \
	fcmgt(0, 1, 1) \ // below the normal range
	K(cUp, 2) \
	fmul(2, 0, 2) \
	bit(1, 2, 0) \
	K(cN23, 5) \
	and(1, 5, 5) \
	REDUCE(0, 6, 1) \
	fadd(6, 5, 6) \
	LOGPOLY(0, 6, 2, 3, 1) \
	fcmgt0(4, 3) \ // not (x > 0): NaN
	K(cNaN, 5) \
	bif(3, 5, 2) \
	fcmeq0(4, 3) \ // x = 0: -Inf
	K(cNInf, 5) \
	bit(3, 5, 2) \
	K(cInf, 5) \ // x = +Inf stays
	fcmeq(4, 5, 3) \
	bit(3, 4, 2) \
	mov(2, 0)

// SIGMOID: V0 = s / (1 + exp(-V0)), where s may be any register but V0 to V3.
#define SIGMOID(s) \
	fneg(0, 0) \
	EXP(0, 1, 2, 3) \
	K(cOne, 1) \
	fadd(1, 0, 0) \
	fdiv(0, s, 0)

// SILU: V0 = V0 / (1 + exp(-V0)), by way of V1 to V4.
#define SILU \
	mov(0, 4) \
	SIGMOID(4)

// SILUMUL: the same times V16.
#define SILUMUL \
	SILU \
	fmul(16, 0, 0)

// SOFTPLUS: V0 = max(V0, 0) + log1p(exp(-|V0|)), by way of V1 to V7.
#define SOFTPLUS \
	mov(0, 4) \
	fabs(0, 0) \
	fneg(0, 0) \
	EXP(0, 1, 2, 3) \
	K(cOne, 2) \
	fadd(2, 0, 1) \ // y = 1 + u
	fsub(2, 1, 2) \
	fsub(2, 0, 2) \
	fdiv(1, 2, 5) \ // (u - (y-1)) / y
	REDUCE(1, 6, 2) \
	LOGPOLY(1, 6, 2, 3, 7) \
	fadd(5, 2, 2) \
	zero(1) \
	fmax(4, 1, 1) \
	fadd(2, 1, 0)

// GELU: V0 = V0·Φ(V0), by way of V1 to V4.
#define GELU \
	mov(0, 4) \
	fabs(0, 1) \
	K(cGELUMax, 2) \
	fmin(2, 1, 1) \
	K(cGELU9, 0) \
	K(cGELU8, 2) \
	fmla(1, 0, 2) \
	K(cGELU7, 0) \
	fmla(1, 2, 0) \
	K(cGELU6, 2) \
	fmla(1, 0, 2) \
	K(cGELU5, 0) \
	fmla(1, 2, 0) \
	K(cGELU4, 2) \
	fmla(1, 0, 2) \
	K(cGELU3, 0) \
	fmla(1, 2, 0) \
	K(cGELU2, 2) \
	fmla(1, 0, 2) \
	K(cGELU1, 0) \
	fmla(1, 2, 0) \
	K(cGELU0, 2) \
	fmla(1, 0, 2) \
	EXP(2, 1, 0, 3) \
	K(cOne, 1) \
	fsub(2, 1, 1) \
	fcmlt0(4, 3) \
	bit(3, 2, 1) \
	fmul(4, 1, 0)

// func expNEON(dst, x []float32)
// dst = exp(x). Requires: NEON.
TEXT ·expNEON(SB), NOSPLIT, $0-48
	ARGS
	MAP(EXP(0, 1, 2, 3))
	RET

// func logNEON(dst, x []float32)
// dst = ln(x). Requires: NEON.
TEXT ·logNEON(SB), NOSPLIT, $0-48
	ARGS
	MAP(LOG)
	RET

// func sigmoidNEON(dst, x []float32)
// dst = 1 / (1 + exp(-x)). Requires: NEON. V17 one.
TEXT ·sigmoidNEON(SB), NOSPLIT, $0-48
	ARGS
	K(cOne, 17)
	MAP(SIGMOID(17))
	RET

// func siluNEON(dst, x []float32)
// dst = x / (1 + exp(-x)). Requires: NEON.
TEXT ·siluNEON(SB), NOSPLIT, $0-48
	ARGS
	MAP(SILU)
	RET

// func siluMulNEON(dst, gate, up []float32)
// dst = gate / (1 + exp(-gate)) * up. Requires: NEON.
TEXT ·siluMulNEON(SB), NOSPLIT, $0-72
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R2
	MOVD gate_base+24(FP), R1
	MOVD up_base+48(FP), R3
	MOVD $·constants(SB), R10
	MAP2(SILUMUL)
	RET

// func softplusNEON(dst, x []float32)
// dst = max(x, 0) + log1p(exp(-|x|)). Requires: NEON.
TEXT ·softplusNEON(SB), NOSPLIT, $0-48
	ARGS
	MAP(SOFTPLUS)
	RET

// func geluNEON(dst, x []float32)
// dst = x·Φ(x). Requires: NEON.
TEXT ·geluNEON(SB), NOSPLIT, $0-48
	ARGS
	MAP(GELU)
	RET
