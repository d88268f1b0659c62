//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "fit_amd64.h"
#include "fit4_amd64.h"

// NEAREST: the four codes nearest to the integers in the bytes of Y4. In each range of eight integers at
// most one code ends. Y13 and Y14 are the last integers of those codes, t is a temporary.
#define NEAREST(t) \
	VPSRLW $3, Y4, Y5 \
	VPAND low<>(SB), Y5, Y5 \
	VPSHUFB Y5, Y13, Y6 \
	VPSHUFB Y5, Y14, Y7 \
	VPBLENDVB Y4, Y6, Y7, Y6 \
	VPCMPGTB Y6, Y4, Y6 \
	VMOVDQU codeNegative<>(SB), Y7 \
	VMOVDQU code<>(SB), t \
	VPSHUFB Y5, Y7, Y7 \
	VPSHUFB Y5, t, t \
	VPBLENDVB Y4, Y7, t, t \
	VPSUBB Y6, t, Y4

// BYTES: the integers in Y4 to Y7, of four columns, to the bytes of Y4, those beyond at the ends.
#define BYTES \
	VCVTPS2DQ Y4, Y4 \
	VCVTPS2DQ Y5, Y5 \
	VCVTPS2DQ Y6, Y6 \
	VCVTPS2DQ Y7, Y7 \
	VPACKSSDW Y5, Y4, Y4 \
	VPACKSSDW Y7, Y6, Y6 \
	VPACKSSWB Y6, Y4, Y4

// LEVEL: the level of a column's eight weights, of bytes in Y4, and its part in the sums.
#define LEVEL(mask, at, xq) \
	VPSHUFB mask<>(SB), Y4, Y5 \
	VPSRAD $24, Y5, Y5 \
	VCVTDQ2PS Y5, Y5 \
	VMULPS at(DX), Y5, Y6 \
	VADDPS Y6, xq, xq \
	VFMADD231PS Y5, Y5, Y12

// CLAMPED: a column by the inverse scale, within ±160.
#define CLAMPED(at, v) \
	VMULPS at(SI), Y0, v \
	VMINPS Y10, v, v \
	VMAXPS Y11, v, v

// CODES4: the codes of columns at/64 to at/64+3 to y, 0 for unusual rows.
#define CODES4(at, y) \
	CLAMPED(at, Y4) \
	CLAMPED(at+64, Y5) \
	CLAMPED(at+128, Y6) \
	CLAMPED(at+192, Y7) \
	BYTES \
	NEAREST(Y12) \
	VPSHUFB rows<>(SB), Y4, Y4 \
	VPAND Y15, Y4, y

// func fitQ4AVX2(codes, scales *byte, columns *float32, steps *[allTries]float32) (usual uint32)
// Requires: AVX2, FMA, F16C. See fit_amd64.h.
TEXT ·fitQ4AVX2(SB), NOSPLIT, $0-36
	MOVQ codes+0(FP), DI
	MOVQ scales+8(FP), R8
	MOVQ columns+16(FP), SI
	MOVQ steps+24(FP), R9
	VMOVDQU lastNegative<>(SB), Y13
	VMOVDQU last<>(SB), Y14
	EACH(half)
	TOP
	USUAL(Y10)
	MOVQ R9, R10
	MOVQ $const_allTries, R11

try:
	VBROADCASTSS (R10), Y0
	VDIVPS Y1, Y0, Y0
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	VXORPS Y12, Y12, Y12
	MOVQ SI, DX
	MOVQ $8, CX

quads:
	VMULPS (DX), Y0, Y4
	VMULPS 64(DX), Y0, Y5
	VMULPS 128(DX), Y0, Y6
	VMULPS 192(DX), Y0, Y7
	BYTES
	NEAREST(Y15)
	VMOVDQU levels<>(SB), Y5
	VPSHUFB Y4, Y5, Y4
	LEVEL(column0, 0, Y8)
	LEVEL(column1, 64, Y9)
	LEVEL(column2, 128, Y10)
	LEVEL(column3, 192, Y11)
	ADDQ $256, DX
	DECQ CX
	JNE  quads
	BETTER
	ADDQ $4, R10
	DECQ R11
	JNE  try

	FOUND(Y2)
	HALF(X3, Y3, 0)
	INVERSE(Y3)
	VBROADCASTSS fit<>+40(SB), Y10
	VBROADCASTSS fit<>+44(SB), Y11
	QUARTERS(CODES4, NONE, Y8, Y9)
	NEXT(half)
	MOVL R12, usual+32(FP)
	VZEROUPPER
	RET

// STEPL: eight weights of a column. Y1 is the least weight, Y13 15, Y14 0, Y3 Σ q; v and q are temporaries.
#define STEPL(at, v, q, xq) \
	VMOVUPS at(DX), v \
	VSUBPS Y1, v, q \
	VMULPS Y0, q, q \
	VROUNDPS $0, q, q \
	VMAXPS Y14, q, q \
	VMINPS Y13, q, q \
	VADDPS q, Y3, Y3 \
	VMULPS q, v, v \
	VADDPS v, xq, xq \
	VFMADD231PS q, q, Y12

// LINE: scale to Y7 and minimum to Y9 that fit these codes best, the gain to Y10; Y5 is the determinant.
// Y6 is Σ w.
#define LINE \
	SUMS \
	VBROADCASTSS fit<>+52(SB), Y4 \
	VMULPS Y12, Y4, Y5 \
	VMULPS Y3, Y3, Y7 \
	VSUBPS Y7, Y5, Y5 \
	VMULPS Y8, Y4, Y7 \
	VMULPS Y3, Y6, Y9 \
	VSUBPS Y9, Y7, Y7 \
	VDIVPS Y5, Y7, Y7 \
	VMULPS Y6, Y12, Y9 \
	VMULPS Y8, Y3, Y10 \
	VSUBPS Y10, Y9, Y9 \
	VDIVPS Y5, Y9, Y9 \
	VMULPS Y8, Y7, Y10 \
	VMULPS Y6, Y9, Y11 \
	VADDPS Y11, Y10, Y10

// CODEL: 1.5·2²³ + code of eight weights of a column. Y8 is the minimum, Y12 1.5·2²³.
#define CODEL(at, v) \
	VMOVUPS at(SI), v \
	VSUBPS Y8, v, v \
	VMULPS Y0, v, v \
	VMINPS Y13, v, v \
	VMAXPS Y14, v, v \
	VADDPS Y12, v, v

// CODESL: the codes of columns at/64 to at/64+3 to y.
#define CODESL(at, y) \
	CODEL(at, Y4) \
	CODEL(at+64, Y5) \
	CODEL(at+128, Y6) \
	CODEL(at+192, Y7) \
	JOIN(y)

// func fitQ4LAVX2(codes, scales *byte, columns *float32, steps *[allTries]float32) (usual uint32)
// Requires: AVX2, FMA, F16C. See fit_amd64.h; the stack has the best scale, the best minimum and Σ w.
TEXT ·fitQ4LAVX2(SB), NOSPLIT, $96-36
	MOVQ codes+0(FP), DI
	MOVQ scales+8(FP), R8
	MOVQ columns+16(FP), SI
	MOVQ steps+24(FP), R9
	VBROADCASTSS fit<>+48(SB), Y13
	VXORPS Y14, Y14, Y14
	EACH(half)
	VMOVAPS Y9, Y1
	VSUBPS Y9, Y8, Y15
	USUAL(Y10)
	VMOVAPS Y2, Y7
	USUAL(Y15)
	VORPS Y7, Y2, Y2
	VXORPS Y6, Y6, Y6
	MOVQ SI, DX
	MOVQ $32, CX

sum:
	VADDPS (DX), Y6, Y6
	ADDQ $64, DX
	DECQ CX
	JNE  sum
	VMOVUPS Y6, 64(SP)
	MOVQ R9, R10
	MOVQ $const_allTries, R11

try:
	VBROADCASTSS (R10), Y0
	VDIVPS Y15, Y0, Y0
	VXORPS Y3, Y3, Y3
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11
	VXORPS Y12, Y12, Y12
	MOVQ SI, DX
	MOVQ $8, CX

quads:
	STEPL(0, Y4, Y5, Y8)
	STEPL(64, Y6, Y7, Y9)
	STEPL(128, Y4, Y5, Y10)
	STEPL(192, Y6, Y7, Y11)
	ADDQ $256, DX
	DECQ CX
	JNE  quads
	VMOVUPS 64(SP), Y6
	LINE
	VCMPPS $0x1e, Y2, Y10, Y11
	VCMPPS $0x1e, Y14, Y5, Y5
	VANDPS Y5, Y11, Y11
	VBLENDVPS Y11, Y10, Y2, Y2
	VMOVUPS 0(SP), Y4
	VBLENDVPS Y11, Y7, Y4, Y4
	VMOVUPS Y4, 0(SP)
	VMOVUPS 32(SP), Y4
	VBLENDVPS Y11, Y9, Y4, Y4
	VMOVUPS Y4, 32(SP)
	ADDQ $4, R10
	DECQ R11
	JNE  try

	FOUND(Y2)
	VMOVUPS 0(SP), Y3
	VMOVUPS 32(SP), Y8
	HALF(X3, Y3, 0)
	HALF(X8, Y8, 32)
	INVERSE(Y3)
	VBROADCASTSS fit<>+56(SB), Y12
	QUARTERS(CODESL, NONE, Y9, Y10)
	NEXT(half)
	MOVL R12, usual+32(FP)
	VZEROUPPER
	RET
