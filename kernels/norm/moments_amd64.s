//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// func momentsAVX2(a *momentsArgs)
// Requires: AVX2, FMA. Four, then one vector of columns: Y0-Y3 first row, Y4-Y7 sums, Y8-Y11 squares,
// Y12-Y15 differences; SI x, R8 the strip's rows, R9 stride, R10 columns left.
TEXT ·momentsAVX2(SB), NOSPLIT, $0-8
	MOVQ a+0(FP), AX
	MOVQ momentsArgs_sum(AX), DI
	MOVQ momentsArgs_square(AX), DX
	MOVQ momentsArgs_x(AX), SI
	MOVQ momentsArgs_stride(AX), R9
	MOVQ momentsArgs_columns(AX), R10
	MOVQ momentsArgs_rows(AX), R11

strip32:
	CMPQ R10, $32
	JLT  strip8
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	MOVQ SI, R8
	MOVQ R11, CX

rows32:
	VMOVUPS (R8), Y12
	VMOVUPS 32(R8), Y13
	VMOVUPS 64(R8), Y14
	VMOVUPS 96(R8), Y15
	VSUBPS Y0, Y12, Y12
	VSUBPS Y1, Y13, Y13
	VSUBPS Y2, Y14, Y14
	VSUBPS Y3, Y15, Y15
	VADDPS Y12, Y4, Y4
	VADDPS Y13, Y5, Y5
	VADDPS Y14, Y6, Y6
	VADDPS Y15, Y7, Y7
	VFMADD231PS Y12, Y12, Y8
	VFMADD231PS Y13, Y13, Y9
	VFMADD231PS Y14, Y14, Y10
	VFMADD231PS Y15, Y15, Y11
	ADDQ R9, R8
	DECQ CX
	JNE  rows32

	VMOVUPS Y4, (DI)
	VMOVUPS Y5, 32(DI)
	VMOVUPS Y6, 64(DI)
	VMOVUPS Y7, 96(DI)
	VMOVUPS Y8, (DX)
	VMOVUPS Y9, 32(DX)
	VMOVUPS Y10, 64(DX)
	VMOVUPS Y11, 96(DX)
	ADDQ $128, SI
	ADDQ $128, DI
	ADDQ $128, DX
	SUBQ $32, R10
	JMP  strip32

strip8:
	CMPQ R10, $8
	JLT  done
	VMOVUPS (SI), Y0
	VXORPS Y4, Y4, Y4
	VXORPS Y8, Y8, Y8
	MOVQ SI, R8
	MOVQ R11, CX

rows8:
	VMOVUPS (R8), Y12
	VSUBPS Y0, Y12, Y12
	VADDPS Y12, Y4, Y4
	VFMADD231PS Y12, Y12, Y8
	ADDQ R9, R8
	DECQ CX
	JNE  rows8

	VMOVUPS Y4, (DI)
	VMOVUPS Y8, (DX)
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, DX
	SUBQ $8, R10
	JMP  strip8

done:
	VZEROUPPER
	RET

// func affineAVX2(a *affineArgs)
// Requires: AVX2, FMA. Y0 elements; SI x, DI dst, R8 scale, R9 shift, BX offset in a row, R13 bytes of a row.
TEXT ·affineAVX2(SB), NOSPLIT, $0-8
	MOVQ a+0(FP), AX
	MOVQ affineArgs_dst(AX), DI
	MOVQ affineArgs_x(AX), SI
	MOVQ affineArgs_scale(AX), R8
	MOVQ affineArgs_shift(AX), R9
	MOVQ affineArgs_dstStride(AX), R10
	MOVQ affineArgs_xStride(AX), R11
	MOVQ affineArgs_rows(AX), CX
	MOVQ affineArgs_columns(AX), R13
	SHLQ $2, R13

row:
	XORQ BX, BX

loop8:
	VMOVUPS (SI)(BX*1), Y0
	VMOVUPS (R9)(BX*1), Y1
	VFMADD132PS (R8)(BX*1), Y1, Y0
	VMOVUPS Y0, (DI)(BX*1)
	ADDQ $32, BX
	CMPQ BX, R13
	JLT  loop8

	ADDQ R10, DI
	ADDQ R11, SI
	DECQ CX
	JNE  row
	VZEROUPPER
	RET
