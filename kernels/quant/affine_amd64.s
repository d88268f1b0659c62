//go:build !purego

#include "textflag.h"

// func affineAVX2(dst *float32, q *byte, scale, least *float32, groups int)
// Requires: AVX2. Y0, Y1 the elements of a group, Y2 its scale, Y3 its minimum.
TEXT ·affineAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ scale+16(FP), R8
	MOVQ least+24(FP), R9
	MOVQ groups+32(FP), CX

group:
	VPMOVSXBD (SI), Y0
	VPMOVSXBD 8(SI), Y1
	VBROADCASTSS (R8), Y2
	VBROADCASTSS (R9), Y3
	VCVTDQ2PS Y0, Y0
	VCVTDQ2PS Y1, Y1
	VMULPS Y2, Y0, Y0
	VMULPS Y2, Y1, Y1
	VADDPS Y3, Y0, Y0
	VADDPS Y3, Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $16, SI
	ADDQ $4, R8
	ADDQ $4, R9
	ADDQ $64, DI
	DECQ CX
	JNE  group
	VZEROUPPER
	RET
