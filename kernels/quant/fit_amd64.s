//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "fit_amd64.h"

// STEP: eight weights of a column. Y13 and Y14 are the least and the largest level, v and q temporaries.
#define STEP(at, v, q, xq, qq) \
	VMOVUPS at(DX), v \
	VMULPS Y0, v, q \
	VROUNDPS $0, q, q \
	VMAXPS Y13, q, q \
	VMINPS Y14, q, q \
	VMULPS q, v, v \
	VADDPS v, xq, xq \
	VFMADD231PS q, q, qq

// SEARCH: the best of the scales, for evenly spaced levels.
#define SEARCH(try, quads) \
	MOVQ R9, R10 \
	MOVQ $const_allTries, R11 \
try: \
	VBROADCASTSS (R10), Y0 \
	VDIVPS Y1, Y0, Y0 \
	VXORPS Y8, Y8, Y8 \
	VXORPS Y9, Y9, Y9 \
	VXORPS Y10, Y10, Y10 \
	VXORPS Y11, Y11, Y11 \
	VXORPS Y12, Y12, Y12 \
	VXORPS Y15, Y15, Y15 \
	MOVQ SI, DX \
	MOVQ $8, CX \
quads: \
	STEP(0, Y4, Y5, Y8, Y12) \
	STEP(64, Y6, Y7, Y9, Y15) \
	STEP(128, Y4, Y5, Y10, Y12) \
	STEP(192, Y6, Y7, Y11, Y15) \
	ADDQ $256, DX \
	DECQ CX \
	JNE quads \
	VADDPS Y15, Y12, Y12 \
	BETTER \
	ADDQ $4, R10 \
	DECQ R11 \
	JNE try

// CODE: 1.5·2²³ + code of eight weights of a column. Y12 is 1.5·2²³ and the offset of the levels.
#define CODE(at, v) \
	VMULPS at(SI), Y0, v \
	VMAXPS Y13, v, v \
	VMINPS Y14, v, v \
	VADDPS Y12, v, v

// CODES: the codes of columns at/64 to at/64+3 to y.
#define CODES(at, y) \
	CODE(at, Y4) \
	CODE(at+64, Y5) \
	CODE(at+128, Y6) \
	CODE(at+192, Y7) \
	JOIN(y)

// FIFTH: bits 4 of the bytes of x to bit v, of y to bit 4+v of Y8.
#define FIFTH(x, y, v) \
	VPBROADCASTD fit<>+32(SB), Y4 \
	VPAND Y4, x, x \
	VPAND Y4, y, y \
	VPSRLD $(4-v), x, x \
	VPSLLD $v, y, y \
	VPOR x, Y8, Y8 \
	VPOR y, Y8, Y8

// SIXTH: bits 4 and 5 of the bytes of x to bits 2v and 2v+1 of Y8, of y to those of Y11.
#define SIXTH(x, y, v) \
	VPBROADCASTD fit<>+36(SB), Y4 \
	VPAND Y4, x, x \
	VPAND Y4, y, y \
	VPSRLD $4, x, x \
	VPSRLD $4, y, y \
	VPSLLD $(2*v), x, x \
	VPSLLD $(2*v), y, y \
	VPOR x, Y8, Y8 \
	VPOR y, Y11, Y11

// SCALES: the best scale in half precision, its inverse, and what CODE adds.
#define SCALES \
	FOUND(Y2) \
	HALF(X3, Y3, 0) \
	INVERSE(Y3) \
	VBROADCASTSS fit<>+56(SB), Y12 \
	VSUBPS Y13, Y12, Y12 \
	VPXOR Y8, Y8, Y8 \
	VPXOR Y11, Y11, Y11

// func fitQ5AVX2(codes, scales *byte, columns *float32, steps *[allTries]float32) (usual uint32)
// Requires: AVX2, FMA, F16C. See fit_amd64.h; Y8 collects the fifth bits.
TEXT ·fitQ5AVX2(SB), NOSPLIT, $0-36
	MOVQ codes+0(FP), DI
	MOVQ scales+8(FP), R8
	MOVQ columns+16(FP), SI
	MOVQ steps+24(FP), R9
	VBROADCASTSS fit<>+60(SB), Y13
	VBROADCASTSS fit<>+48(SB), Y14
	EACH(half)
	TOP
	USUAL(Y10)
	SEARCH(try, quads)
	SCALES
	QUARTERS(CODES, FIFTH, Y9, Y10)
	VMOVDQU Y8, 256(DI)
	NEXT(half)
	MOVL R12, usual+32(FP)
	VZEROUPPER
	RET

// func fitQ6AVX2(codes, scales *byte, columns *float32, steps *[allTries]float32) (usual uint32)
// Requires: AVX2, FMA, F16C. See fit_amd64.h; Y8 and Y11 collect the upper two bits.
TEXT ·fitQ6AVX2(SB), NOSPLIT, $0-36
	MOVQ codes+0(FP), DI
	MOVQ scales+8(FP), R8
	MOVQ columns+16(FP), SI
	MOVQ steps+24(FP), R9
	VBROADCASTSS fit<>+64(SB), Y13
	VBROADCASTSS fit<>+68(SB), Y14
	EACH(half)
	TOP
	USUAL(Y10)
	SEARCH(try, quads)
	SCALES
	QUARTERS(CODES, SIXTH, Y9, Y10)
	VMOVDQU Y8, 256(DI)
	VMOVDQU Y11, 320(DI)
	NEXT(half)
	MOVL R12, usual+32(FP)
	VZEROUPPER
	RET
