//go:build !purego

#include "textflag.h"
#include "norm_amd64.h"

// tailMask, read from element 16-n, masks the first n of sixteen lanes.
DATA tailMask<>+0(SB)/8, $-1
DATA tailMask<>+8(SB)/8, $-1
DATA tailMask<>+16(SB)/8, $-1
DATA tailMask<>+24(SB)/8, $-1
DATA tailMask<>+32(SB)/8, $-1
DATA tailMask<>+40(SB)/8, $-1
DATA tailMask<>+48(SB)/8, $-1
DATA tailMask<>+56(SB)/8, $-1
GLOBL tailMask<>(SB), RODATA|NOPTR, $128

// MASKS8: Y7, Y8 = the lanes of the last R11 elements, Y9 = those of R9 mod 8.
#define MASKS8 \
	LEAQ tailMask<>+64(SB), AX \
	MOVQ R11, CX \
	NEGQ CX \
	VMOVUPS (AX)(CX*4), Y7 \
	VMOVUPS 32(AX)(CX*4), Y8 \
	MOVQ R9, CX \
	ANDQ $7, CX \
	NEGQ CX \
	VMOVUPS (AX)(CX*4), Y9

// SQUARES8: Y0, Y1 = the partial sums of the row; Y2, Y3 are clobbered.
#define SQUARES8 \
	VXORPS Y0, Y0, Y0 \
	VXORPS Y1, Y1, Y1 \
	XORQ BX, BX \
	CMPQ BX, R10 \
	JGE  last \
sum16: \
	VMOVUPS (SI)(BX*1), Y2 \
	VMOVUPS 32(SI)(BX*1), Y3 \
	VFMADD231PS Y2, Y2, Y0 \
	VFMADD231PS Y3, Y3, Y1 \
	ADDQ $64, BX \
	CMPQ BX, R10 \
	JLT  sum16 \
last: \
	TESTQ R11, R11 \
	JEQ  tree \
	VMASKMOVPS (SI)(BX*1), Y7, Y2 \
	VMASKMOVPS 32(SI)(BX*1), Y8, Y3 \
	VFMADD231PS Y2, Y2, Y0 \
	VFMADD231PS Y3, Y3, Y1 \
tree: \
	TREE

// A row that does not end on a whole eight ends on its last eight elements, Y4, read before the
// loop may have overwritten some of them in place: a masked store costs more than the loop.

// func rmsAVX2(dst, x, w []float32, eps float32)
// Requires: AVX2, FMA. Y0, Y1 partial sums, then Y0 the factor; Y2 to Y4 elements; Y7, Y8
// masks of the sum's tail; Y9 mask of a row below eight; DX w; R8 elements of x left.
TEXT ·rmsAVX2(SB), NOSPLIT, $0-76
	MOVQ dst_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), R8
	MOVQ w_base+48(FP), DX
	MOVQ w_len+56(FP), R9
	VMOVSS eps+72(FP), X12
	VXORPS X13, X13, X13
	VCVTSI2SSQ R9, X13, X13
	SPLIT
	MASKS8

row:
	SQUARES8
	VDIVSS X13, X0, X0
	INVERSE
	VBROADCASTSS X0, Y0
	XORQ BX, BX
	MOVQ R9, CX
	SUBQ $8, CX
	JLT  short
	VMOVUPS -32(SI)(R9*4), Y4

scale8:
	VMULPS (SI)(BX*1), Y0, Y2
	VMULPS (DX)(BX*1), Y2, Y2
	VMOVUPS Y2, (DI)(BX*1)
	ADDQ $32, BX
	SUBQ $8, CX
	JGE  scale8

	ADDQ $8, CX
	JEQ  next
	VMULPS Y4, Y0, Y4
	VMULPS -32(DX)(R9*4), Y4, Y4
	VMOVUPS Y4, -32(DI)(R9*4)
	JMP  next

short:
	VMASKMOVPS (SI), Y9, Y2
	VMASKMOVPS (DX), Y9, Y3
	VMULPS Y2, Y0, Y2
	VMULPS Y3, Y2, Y2
	VMASKMOVPS Y2, Y9, (DI)

next:
	LEAQ (SI)(R9*4), SI
	LEAQ (DI)(R9*4), DI
	SUBQ R9, R8
	JGT  row
	VZEROUPPER
	RET

// func l2AVX2(dst, x []float32, d int, eps float32)
// Requires: AVX2, FMA. Y0, Y1 partial sums, then Y0 the factor; Y2 to Y4 elements; Y7, Y8
// masks of the sum's tail; Y9 mask of a row below eight; R8 elements of x left.
TEXT ·l2AVX2(SB), NOSPLIT, $0-60
	MOVQ dst_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), R8
	MOVQ d+48(FP), R9
	VMOVSS eps+56(FP), X12
	SPLIT
	MASKS8

row:
	SQUARES8
	INVERSE
	VBROADCASTSS X0, Y0
	XORQ BX, BX
	MOVQ R9, CX
	SUBQ $8, CX
	JLT  short
	VMOVUPS -32(SI)(R9*4), Y4

scale8:
	VMULPS (SI)(BX*1), Y0, Y2
	VMOVUPS Y2, (DI)(BX*1)
	ADDQ $32, BX
	SUBQ $8, CX
	JGE  scale8

	ADDQ $8, CX
	JEQ  next
	VMULPS Y4, Y0, Y4
	VMOVUPS Y4, -32(DI)(R9*4)
	JMP  next

short:
	VMASKMOVPS (SI), Y9, Y2
	VMULPS Y2, Y0, Y2
	VMASKMOVPS Y2, Y9, (DI)

next:
	LEAQ (SI)(R9*4), SI
	LEAQ (DI)(R9*4), DI
	SUBQ R9, R8
	JGT  row
	VZEROUPPER
	RET
