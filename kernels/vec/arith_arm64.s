//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "vec_arm64.h"

// ARGS2: R0 dst, R1 a, R2 elements, R3 b.
#define ARGS2 \
	MOVD dst_base+0(FP), R0 \
	MOVD dst_len+8(FP), R2 \
	MOVD a_base+24(FP), R1 \
	MOVD b_base+48(FP), R3

// AXPY: V0 = V17·V0 + V16.
#define AXPY \
	fmla(0, 17, 16) \
	mov(16, 0)

// func addNEON(dst, a, b []float32)
// dst = a + b. Requires: NEON.
TEXT ·addNEON(SB), NOSPLIT, $0-72
	ARGS2
	MAP2(fadd(16, 0, 0))
	RET

// func mulNEON(dst, a, b []float32)
// dst = a * b. Requires: NEON.
TEXT ·mulNEON(SB), NOSPLIT, $0-72
	ARGS2
	MAP2(fmul(16, 0, 0))
	RET

// func scaleNEON(dst []float32, s float32, x []float32)
// dst = s * x. Requires: NEON. V17 s.
TEXT ·scaleNEON(SB), NOSPLIT, $0-56
	MOVD  dst_base+0(FP), R0
	MOVD  dst_len+8(FP), R2
	FMOVS s+24(FP), F17
	MOVD  x_base+32(FP), R1
	dup(0, 17, 17)
	MAP(fmul(17, 0, 0))
	RET

// func axpyNEON(dst []float32, s float32, x []float32)
// dst = s*x + dst. Requires: NEON. V16 dst, V17 s.
TEXT ·axpyNEON(SB), NOSPLIT, $0-56
	MOVD  dst_base+0(FP), R0
	MOVD  dst_len+8(FP), R2
	FMOVS s+24(FP), F17
	MOVD  x_base+32(FP), R1
	MOVD  R0, R3
	dup(0, 17, 17)
	MAP2(AXPY)
	RET

// func reluNEON(dst, x []float32)
// dst = max(x, 0). Requires: NEON. V17 zero.
TEXT ·reluNEON(SB), NOSPLIT, $0-48
	MOVD dst_base+0(FP), R0
	MOVD x_base+24(FP), R1
	MOVD x_len+32(FP), R2
	zero(17)
	MAP(fmax(17, 0, 0))
	RET

// func shiftNEON(dst, x []float32, s float32)
// dst = x + s. Requires: NEON. V17 s.
TEXT ·shiftNEON(SB), NOSPLIT, $0-52
	MOVD  dst_base+0(FP), R0
	MOVD  x_base+24(FP), R1
	MOVD  x_len+32(FP), R2
	FMOVS s+48(FP), F17
	dup(0, 17, 17)
	MAP(fadd(17, 0, 0))
	RET
