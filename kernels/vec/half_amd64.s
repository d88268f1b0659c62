//go:build !purego

#include "textflag.h"

// func fromBF16AVX2(dst *float32, x *uint16, sixteens int)
// Requires: AVX2. Y0, Y1 the elements.
TEXT ·fromBF16AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ sixteens+16(FP), CX

loop:
	VPMOVZXWD (SI), Y0
	VPMOVZXWD 16(SI), Y1
	VPSLLD $16, Y0, Y0
	VPSLLD $16, Y1, Y1
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	ADDQ $32, SI
	ADDQ $64, DI
	DECQ CX
	JNE  loop
	VZEROUPPER
	RET

// func fromF16AVX2(dst *float32, x *uint16, sixteens int)
// Requires: AVX2, F16C. Y0, Y1 the elements.
TEXT ·fromF16AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ sixteens+16(FP), CX

loop:
	VCVTPH2PS (SI), Y0
	VCVTPH2PS 16(SI), Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $32, SI
	ADDQ $64, DI
	DECQ CX
	JNE  loop
	VZEROUPPER
	RET

// ROUND: the elements in x to 16 bits each; a and b are clobbered.
#define ROUND(x, a, b) \
	VCMPPS $3, x, x, b \
	VPSRLD $16, x, a \
	VPAND Y13, a, a \
	VPADDD Y14, a, a \
	VPADDD x, a, a \
	VPOR Y15, x, x \
	VBLENDVPS b, x, a, a \
	VPSRLD $16, a, x

// func toBF16AVX2(dst *uint16, x *float32, sixteens int)
// Requires: AVX2. Y0, Y1 the elements; Y13 ones, Y14 0x7fff, Y15 the bit that makes a NaN quiet.
TEXT ·toBF16AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ sixteens+16(FP), CX
	VPCMPEQD Y15, Y15, Y15
	VPSRLD $31, Y15, Y13
	VPSRLD $17, Y15, Y14
	VPSLLD $22, Y13, Y15

loop:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	ROUND(Y0, Y2, Y3)
	ROUND(Y1, Y2, Y3)
	VPACKUSDW Y1, Y0, Y0
	VPERMQ $0xd8, Y0, Y0
	VMOVDQU Y0, (DI)
	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNE  loop
	VZEROUPPER
	RET

// func toF16AVX2(dst *uint16, x *float32, sixteens int)
// Requires: AVX2, F16C. Y0, Y1 the elements.
TEXT ·toF16AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ sixteens+16(FP), CX

loop:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VCVTPS2PH $0, Y0, (DI)
	VCVTPS2PH $0, Y1, 16(DI)
	ADDQ $64, SI
	ADDQ $32, DI
	DECQ CX
	JNE  loop
	VZEROUPPER
	RET
