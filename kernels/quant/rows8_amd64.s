//go:build !purego

#include "textflag.h"

// Bytes 0 1 | 4 5 | 2 3 | 6 7 of each quad of 16-bit elements.
DATA quadOrder<>+0(SB)/8, $0x0706030205040100
DATA quadOrder<>+8(SB)/8, $0x0f0e0b0a0d0c0908
GLOBL quadOrder<>(SB), RODATA|NOPTR, $16

// The doublewords of a packed block, put back in order.
DATA blockOrder<>+0(SB)/8, $0x0000000400000000
DATA blockOrder<>+8(SB)/8, $0x0000000500000001
DATA blockOrder<>+16(SB)/8, $0x0000000600000002
DATA blockOrder<>+24(SB)/8, $0x0000000700000003
GLOBL blockOrder<>(SB), RODATA|NOPTR, $32

DATA most<>+0(SB)/4, $127.0
GLOBL most<>(SB), RODATA|NOPTR, $4

// func quantizeBlocksAVX2(q *int8, wide *int16, scale *float32, sum *int32, x *float32, blocks int)
// Requires: AVX2. Y0-Y3 the block, Y4 abs mask, Y5 its maximum, Y6 inverse, Y13-Y15 constants.
TEXT ·quantizeBlocksAVX2(SB), NOSPLIT, $0-48
	MOVQ q+0(FP), DI
	MOVQ wide+8(FP), DX
	MOVQ scale+16(FP), R8
	MOVQ sum+24(FP), R9
	MOVQ x+32(FP), SI
	MOVQ blocks+40(FP), CX
	VPCMPEQD Y4, Y4, Y4
	VPSRLD $1, Y4, Y4
	VBROADCASTI128 quadOrder<>(SB), Y13
	VMOVDQU blockOrder<>(SB), Y14
	VPCMPEQW Y15, Y15, Y15
	VPABSW Y15, Y15 // sixteen ones
	TESTQ CX, CX
	JEQ  done

block:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VMOVUPS 64(SI), Y2
	VMOVUPS 96(SI), Y3

	// The largest |x|, as integers: exact, and NaN is the largest of all.
	VPAND Y4, Y0, Y5
	VPAND Y4, Y1, Y6
	VPMAXUD Y6, Y5, Y5
	VPAND Y4, Y2, Y6
	VPAND Y4, Y3, Y7
	VPMAXUD Y7, Y6, Y6
	VPMAXUD Y6, Y5, Y5
	VEXTRACTI128 $1, Y5, X6
	VPMAXUD X6, X5, X5
	VPSHUFD $0x4e, X5, X6
	VPMAXUD X6, X5, X5
	VPSHUFD $0xb1, X5, X6
	VPMAXUD X6, X5, X5

	// scale = max/127; inverse = 127/max, 0 for a block of zeros.
	VMOVSS most<>(SB), X7
	VDIVSS X7, X5, X8
	VMOVSS X8, (R8)
	VDIVSS X5, X7, X6
	VXORPS X8, X8, X8
	VCMPSS $4, X8, X5, X8 // max is not 0
	VANDPS X8, X6, X6
	VBROADCASTSS X6, Y6

	VMULPS Y6, Y0, Y0
	VMULPS Y6, Y1, Y1
	VMULPS Y6, Y2, Y2
	VMULPS Y6, Y3, Y3
	VCVTPS2DQ Y0, Y0
	VCVTPS2DQ Y1, Y1
	VCVTPS2DQ Y2, Y2
	VCVTPS2DQ Y3, Y3
	VPACKSSDW Y1, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VPACKSSWB Y2, Y0, Y0
	VPERMD Y0, Y14, Y0
	VMOVDQU Y0, (DI)

	VPMOVSXBW X0, Y1
	VEXTRACTI128 $1, Y0, X2
	VPMOVSXBW X2, Y2
	VPMADDWD Y15, Y1, Y5
	VPMADDWD Y15, Y2, Y6
	VPADDD Y6, Y5, Y5
	VPSHUFB Y13, Y1, Y1
	VPSHUFB Y13, Y2, Y2
	VMOVDQU Y1, (DX)
	VMOVDQU Y2, 32(DX)

	// sum = -128·Σq
	VEXTRACTI128 $1, Y5, X6
	VPADDD X6, X5, X5
	VPSHUFD $0x4e, X5, X6
	VPADDD X6, X5, X5
	VPSHUFD $0xb1, X5, X6
	VPADDD X6, X5, X5
	VPSLLD $7, X5, X5
	VPXOR X6, X6, X6
	VPSUBD X5, X6, X5
	VMOVD X5, (R9)

	ADDQ $128, SI
	ADDQ $32, DI
	ADDQ $64, DX
	ADDQ $4, R8
	ADDQ $4, R9
	DECQ CX
	JNE  block

done:
	VZEROUPPER
	RET
