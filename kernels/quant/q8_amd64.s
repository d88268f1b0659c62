//go:build !purego

#include "textflag.h"

DATA q8<>+0(SB)/4, $127.0
DATA q8<>+4(SB)/4, $-127.0
DATA q8<>+8(SB)/4, $0x4b400080 // 1.5·2²³ + 128: the sum has the rounded integer plus 128 in its low bits
DATA q8<>+12(SB)/4, $65504.0
DATA q8<>+16(SB)/4, $1.0
DATA q8<>+20(SB)/4, $0x8b400000 // what four such sums, shifted by 0, 8, 16 and 24, have beyond their bytes
GLOBL q8<>(SB), RODATA|NOPTR, $24

// TOP: the larger |x| of a column and m, as integers: exact, and NaN is the largest of all.
#define TOP(at, v, m) \
	VPAND at(DX), Y15, v \
	VPMAXUD v, m, m

// QUANT: eight elements of a column, quantised.
#define QUANT(at, v) \
	VMULPS at(DX), Y0, v \
	VMINPS Y1, v, v \
	VMAXPS Y2, v, v \
	VADDPS Y3, v, v

// func q8BlockAVX2(quants, scales *byte, columns *float32) (ok bool)
// Requires: AVX2, F16C. Y0 inverse scales of eight rows, Y1 127, Y2 -127, Y3 and Y4 the constants above,
// Y15 abs mask. It stops and returns false at a NaN.
TEXT ·q8BlockAVX2(SB), NOSPLIT, $0-25
	MOVQ quants+0(FP), DI
	MOVQ scales+8(FP), R8
	MOVQ columns+16(FP), SI
	MOVB $0, ok+24(FP)
	VPCMPEQD Y15, Y15, Y15
	VPSRLD $1, Y15, Y15
	VBROADCASTSS q8<>+0(SB), Y1
	VBROADCASTSS q8<>+4(SB), Y2
	VBROADCASTSS q8<>+8(SB), Y3
	VPBROADCASTD q8<>+20(SB), Y4
	VBROADCASTSS q8<>+12(SB), Y5
	VBROADCASTSS q8<>+16(SB), Y6
	MOVQ $2, BX

half:
	VPXOR Y8, Y8, Y8
	VPXOR Y9, Y9, Y9
	MOVQ SI, DX
	MOVQ $8, CX

top:
	TOP(0, Y10, Y8)
	TOP(64, Y11, Y9)
	TOP(128, Y12, Y8)
	TOP(192, Y13, Y9)
	ADDQ $256, DX
	DECQ CX
	JNE  top
	VPMAXUD Y9, Y8, Y8
	VCMPPS $3, Y8, Y8, Y9
	VPTEST Y9, Y9
	JNE  done

	// The scale, in half precision, and its inverse, 0 for a scale of 0.
	VDIVPS Y1, Y8, Y8
	VMINPS Y5, Y8, Y8
	VCVTPS2PH $0, Y8, X8
	VMOVDQU X8, (R8)
	VCVTPH2PS X8, Y8
	VXORPS Y9, Y9, Y9
	VCMPPS $4, Y9, Y8, Y9
	VDIVPS Y8, Y6, Y0
	VANDPS Y9, Y0, Y0
	MOVQ SI, DX
	MOVQ $8, CX

quads:
	QUANT(0, Y8)
	QUANT(64, Y9)
	QUANT(128, Y10)
	QUANT(192, Y11)
	VPSLLD $8, Y9, Y9
	VPSLLD $16, Y10, Y10
	VPSLLD $24, Y11, Y11
	VPADDD Y9, Y8, Y8
	VPADDD Y11, Y10, Y10
	VPADDD Y10, Y8, Y8
	VPSUBD Y4, Y8, Y8
	VMOVDQU Y8, (DI)
	ADDQ $256, DX
	ADDQ $64, DI
	DECQ CX
	JNE  quads

	SUBQ $480, DI // eight rows on
	ADDQ $16, R8
	ADDQ $32, SI
	DECQ BX
	JNE  half
	MOVB $1, ok+24(FP)

done:
	VZEROUPPER
	RET
