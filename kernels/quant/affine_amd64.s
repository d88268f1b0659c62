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

// DECODE: codes of eight rows in y, shifted to the upper byte, become their elements to at(DI).
#define DECODE(y, at) \
	VPSRAD $24, y, y \
	VCVTDQ2PS y, y \
	VMULPS Y2, y, y \
	VADDPS Y3, y, y \
	VMOVUPS y, at(DI)

// FOUR: four columns of eight rows.
#define FOUR(q, at) \
	VMOVDQU q(SI), Y4 \
	VPSLLD $24, Y4, Y5 \
	VPSLLD $16, Y4, Y6 \
	VPSLLD $8, Y4, Y7 \
	DECODE(Y5, at) \
	DECODE(Y6, at+64) \
	DECODE(Y7, at+128) \
	DECODE(Y4, at+192)

// EIGHT: a group of eight rows.
#define EIGHT(at) \
	VMOVUPS at(R8), Y2 \
	VMOVUPS at(R9), Y3 \
	FOUR(at, at) \
	FOUR(at+64, at+256) \
	FOUR(at+128, at+512) \
	FOUR(at+192, at+768)

// func affineColumnsAVX2(dst *float32, q *byte, scale, least *float32, groups int)
// Requires: AVX2. Y2 the scales of eight rows, Y3 their minima.
TEXT ·affineColumnsAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ scale+16(FP), R8
	MOVQ least+24(FP), R9
	MOVQ groups+32(FP), CX

group:
	EIGHT(0)
	EIGHT(32)
	ADDQ $256, SI
	ADDQ $64, R8
	ADDQ $64, R9
	ADDQ $1024, DI
	DECQ CX
	JNE  group
	VZEROUPPER
	RET
