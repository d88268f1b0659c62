//go:build !purego

#include "textflag.h"
#include "norm_amd64.h"

// SQUARES16: Z0 = the partial sums of the row; Z2 is clobbered.
#define SQUARES16 \
	VPXORD Z0, Z0, Z0 \
	XORQ BX, BX \
	CMPQ BX, R10 \
	JGE  last \
sum16: \
	VMOVUPS (SI)(BX*1), Z2 \
	VFMADD231PS Z2, Z2, Z0 \
	ADDQ $64, BX \
	CMPQ BX, R10 \
	JLT  sum16 \
last: \
	TESTQ R11, R11 \
	JEQ  tree \
	VMOVUPS.Z (SI)(BX*1), K1, Z2 \
	VFMADD231PS Z2, Z2, Z0 \
tree: \
	VEXTRACTF64X4 $1, Z0, Y1 \
	TREE

// func rmsAVX512(dst, x, w []float32, eps float32)
// Requires: AVX512F, DQ, VL. Z0 partial sums, then the factor; Z2, Z3 elements; K1 tail mask;
// DX w; R8 elements of x left.
TEXT ·rmsAVX512(SB), NOSPLIT, $0-76
	MOVQ dst_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), R8
	MOVQ w_base+48(FP), DX
	MOVQ w_len+56(FP), R9
	VMOVSS eps+72(FP), X12
	VXORPS X13, X13, X13
	VCVTSI2SSQ R9, X13, X13
	SPLIT
	MASK16

row:
	SQUARES16
	VDIVSS X13, X0, X0
	INVERSE
	VBROADCASTSS X0, Z0
	XORQ BX, BX
	CMPQ BX, R10
	JGE  rest

scale16:
	VMULPS (SI)(BX*1), Z0, Z2
	VMULPS (DX)(BX*1), Z2, Z2
	VMOVUPS Z2, (DI)(BX*1)
	ADDQ $64, BX
	CMPQ BX, R10
	JLT  scale16

rest:
	TESTQ R11, R11
	JEQ  next
	VMOVUPS.Z (SI)(BX*1), K1, Z2
	VMOVUPS.Z (DX)(BX*1), K1, Z3
	VMULPS Z2, Z0, Z2
	VMULPS Z3, Z2, Z2
	VMOVUPS Z2, K1, (DI)(BX*1)

next:
	LEAQ (SI)(R9*4), SI
	LEAQ (DI)(R9*4), DI
	SUBQ R9, R8
	JGT  row
	VZEROUPPER
	RET

// func l2AVX512(dst, x []float32, d int, eps float32)
// Requires: AVX512F, DQ, VL. Z0 partial sums, then the factor; Z2 elements; K1 tail mask; R8
// elements of x left.
TEXT ·l2AVX512(SB), NOSPLIT, $0-60
	MOVQ dst_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), R8
	MOVQ d+48(FP), R9
	VMOVSS eps+56(FP), X12
	SPLIT
	MASK16

row:
	SQUARES16
	INVERSE
	VBROADCASTSS X0, Z0
	XORQ BX, BX
	CMPQ BX, R10
	JGE  rest

scale16:
	VMULPS (SI)(BX*1), Z0, Z2
	VMOVUPS Z2, (DI)(BX*1)
	ADDQ $64, BX
	CMPQ BX, R10
	JLT  scale16

rest:
	TESTQ R11, R11
	JEQ  next
	VMOVUPS.Z (SI)(BX*1), K1, Z2
	VMULPS Z2, Z0, Z2
	VMOVUPS Z2, K1, (DI)(BX*1)

next:
	LEAQ (SI)(R9*4), SI
	LEAQ (DI)(R9*4), DI
	SUBQ R9, R8
	JGT  row
	VZEROUPPER
	RET
