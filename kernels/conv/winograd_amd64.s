//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// ROW(op, a, b): a row of Bᵀ·d in Y0-Y3 from the rows at a and b, and its four products with B at AX.
#define ROW(op, a, b) \
	VMOVUPS (a), Y0 \
	VMOVUPS (a)(R12*1), Y1 \
	VMOVUPS (a)(R12*2), Y2 \
	VMOVUPS (a)(R13*1), Y3 \
	op (b), Y0, Y0 \
	op (b)(R12*1), Y1, Y1 \
	op (b)(R12*2), Y2, Y2 \
	op (b)(R13*1), Y3, Y3 \
	VSUBPS Y2, Y0, Y4 \
	VADDPS Y2, Y1, Y5 \
	VSUBPS Y1, Y2, Y6 \
	VSUBPS Y3, Y1, Y7 \
	VMOVUPS Y4, (AX) \
	VMOVUPS Y5, (AX)(DX*1) \
	VMOVUPS Y6, (AX)(DX*2) \
	VMOVUPS Y7, (AX)(BX*1)

// func winogradSourceAVX2(a *sourceArgs)
// Requires: AVX2. R8-R11 the rows of pixels, R12 and R13 one and three columns; DI the output, DX and BX one
// and three of its rows; CX bytes left.
TEXT ·winogradSourceAVX2(SB), NOSPLIT, $0-8
	MOVQ a+0(FP), AX
	MOVQ sourceArgs_dst(AX), DI
	MOVQ sourceArgs_stride(AX), DX
	MOVQ sourceArgs_x(AX), R8
	MOVQ sourceArgs_row(AX), SI
	MOVQ sourceArgs_column(AX), R12
	MOVQ sourceArgs_bytes(AX), CX
	LEAQ (R8)(SI*1), R9
	LEAQ (R8)(SI*2), R10
	LEAQ (R9)(SI*2), R11
	LEAQ (R12)(R12*2), R13
	LEAQ (DX)(DX*2), BX

loop8:
	MOVQ DI, AX
	ROW(VSUBPS, R8, R10)
	LEAQ (AX)(DX*4), AX
	ROW(VADDPS, R9, R10)
	LEAQ (AX)(DX*4), AX
	ROW(VSUBPS, R10, R9)
	LEAQ (AX)(DX*4), AX
	ROW(VSUBPS, R9, R11)
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $32, R11
	ADDQ $32, DI
	SUBQ $32, CX
	JNE  loop8
	VZEROUPPER
	RET

// COLUMN(m0, m1, m2, m3, s, t): a column of Aᵀ·m, in s and t, from a column of products.
#define COLUMN(m0, m1, m2, m3, s, t) \
	VMOVUPS m1, Y8 \
	VMOVUPS m2, Y9 \
	VADDPS m0, Y8, s \
	VADDPS Y9, s, s \
	VSUBPS Y9, Y8, t \
	VSUBPS m3, t, t

// PAIR(s0, s1, s2, s3, y, z): a row of outputs from one of Aᵀ·m.
#define PAIR(s0, s1, s2, s3, y, z) \
	VADDPS s1, s0, s0 \
	VADDPS s2, s0, s0 \
	VSUBPS s2, s1, s1 \
	VSUBPS s3, s1, s1 \
	VADDPS (y)(BX*1), s0, s0 \
	VADDPS (z)(BX*1), s1, s1 \
	VMOVUPS s0, (y)(BX*1) \
	VMOVUPS s1, (z)(BX*1)

// func winogradOutputAVX2(a *outputArgs)
// Requires: AVX2. R8-R11 the rows of products, R12 and R13 one and three of m's rows; SI, DI, R15, DX the outputs, BX the
// offset in them; CX bytes left. Y0-Y3 and Y4-Y7 rows of Aᵀ·m.
TEXT ·winogradOutputAVX2(SB), NOSPLIT, $0-8
	MOVQ a+0(FP), AX
	MOVQ outputArgs_y00(AX), SI
	MOVQ outputArgs_y01(AX), DI
	MOVQ outputArgs_y10(AX), R15
	MOVQ outputArgs_y11(AX), DX
	MOVQ outputArgs_m(AX), R8
	MOVQ outputArgs_stride(AX), R12
	MOVQ outputArgs_bytes(AX), CX
	LEAQ (R8)(R12*4), R9
	LEAQ (R8)(R12*8), R10
	LEAQ (R9)(R12*8), R11
	LEAQ (R12)(R12*2), R13
	XORQ BX, BX

loop8:
	COLUMN((R8), (R9), (R10), (R11), Y0, Y4)
	COLUMN((R8)(R12*1), (R9)(R12*1), (R10)(R12*1), (R11)(R12*1), Y1, Y5)
	COLUMN((R8)(R12*2), (R9)(R12*2), (R10)(R12*2), (R11)(R12*2), Y2, Y6)
	COLUMN((R8)(R13*1), (R9)(R13*1), (R10)(R13*1), (R11)(R13*1), Y3, Y7)
	PAIR(Y0, Y1, Y2, Y3, SI, DI)
	PAIR(Y4, Y5, Y6, Y7, R15, DX)
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $32, R11
	ADDQ $32, BX
	SUBQ $32, CX
	JNE  loop8
	VZEROUPPER
	RET
