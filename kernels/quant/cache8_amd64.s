//go:build !purego

#include "textflag.h"

// WIDEN: a column, codes times scales. Caches are read in the order of their memory.
#define WIDEN(a, b, x, y) \
	PREFETCHT0 8192(SI) \
	VPMOVSXBD (SI), x \
	VPMOVSXBD 8(SI), y \
	VCVTDQ2PS x, x \
	VCVTDQ2PS y, y \
	VMULPS a, x, x \
	VMULPS b, y, y \
	VMOVUPS x, (DI) \
	VMOVUPS y, 32(DI) \
	ADDQ $16, SI \
	ADDQ $64, DI

// func cacheRowsAVX2(dst *float32, q *int8, scale *uint16, columns int)
// Requires: AVX2. Y0, Y1 the scales of a block; Y2, Y3 a column; CX columns left, BX of the block.
TEXT ·cacheRowsAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ scale+16(FP), DX
	MOVQ columns+24(FP), CX

block:
	VPMOVZXWD (DX), Y0
	VPMOVZXWD 16(DX), Y1
	VPSLLD $16, Y0, Y0
	VPSLLD $16, Y1, Y1
	ADDQ $32, DX
	MOVQ $32, BX
	CMPQ CX, BX
	CMOVQLT CX, BX
	SUBQ BX, CX

column:
	WIDEN(Y0, Y1, Y2, Y3)
	DECQ BX
	JNE  column
	TESTQ CX, CX
	JNE  block
	VZEROUPPER
	RET

// func cacheColumnsAVX2(dst *float32, q *int8, scale *uint16, columns int)
// Requires: AVX2. Y0 the scale; Y2, Y3 a column.
TEXT ·cacheColumnsAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ scale+16(FP), DX
	MOVQ columns+24(FP), CX

column:
	VPBROADCASTW (DX), Y0
	VPSLLD $16, Y0, Y0
	WIDEN(Y0, Y0, Y2, Y3)
	ADDQ $2, DX
	DECQ CX
	JNE  column
	VZEROUPPER
	RET

// func cacheRowsAVX512(dst *float32, q *int8, scale *uint16, columns int)
// Requires: AVX512F. Z0 the scales of a block; Z2 a column; CX columns left, BX of the block.
TEXT ·cacheRowsAVX512(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ scale+16(FP), DX
	MOVQ columns+24(FP), CX

block:
	VPMOVZXWD (DX), Z0
	VPSLLD $16, Z0, Z0
	ADDQ $32, DX
	MOVQ $32, BX
	CMPQ CX, BX
	CMOVQLT CX, BX
	SUBQ BX, CX

column:
	PREFETCHT0 8192(SI)
	VPMOVSXBD (SI), Z2
	VCVTDQ2PS Z2, Z2
	VMULPS Z0, Z2, Z2
	VMOVUPS Z2, (DI)
	ADDQ $16, SI
	ADDQ $64, DI
	DECQ BX
	JNE  column
	TESTQ CX, CX
	JNE  block
	VZEROUPPER
	RET

// func cacheColumnsAVX512(dst *float32, q *int8, scale *uint16, columns int)
// Requires: AVX512F, BW. Z0 the scale; Z2 a column.
TEXT ·cacheColumnsAVX512(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ q+8(FP), SI
	MOVQ scale+16(FP), DX
	MOVQ columns+24(FP), CX

column:
	VPBROADCASTW (DX), Z0
	VPSLLD $16, Z0, Z0
	PREFETCHT0 8192(SI)
	VPMOVSXBD (SI), Z2
	VCVTDQ2PS Z2, Z2
	VMULPS Z0, Z2, Z2
	VMOVUPS Z2, (DI)
	ADDQ $16, SI
	ADDQ $64, DI
	ADDQ $2, DX
	DECQ CX
	JNE  column
	VZEROUPPER
	RET
