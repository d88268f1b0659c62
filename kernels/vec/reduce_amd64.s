//go:build !purego

#include "textflag.h"
#include "vec_amd64.h"

// tailMask16, read from element 16-n, masks the first n of sixteen lanes.
DATA tailMask16<>+0(SB)/8, $-1
DATA tailMask16<>+8(SB)/8, $-1
DATA tailMask16<>+16(SB)/8, $-1
DATA tailMask16<>+24(SB)/8, $-1
DATA tailMask16<>+32(SB)/8, $-1
DATA tailMask16<>+40(SB)/8, $-1
DATA tailMask16<>+48(SB)/8, $-1
DATA tailMask16<>+56(SB)/8, $-1
GLOBL tailMask16<>(SB), RODATA|NOPTR, $128

// TREE: X0 = the sum of the lanes of Y0 (0 to 7) and Y1 (8 to 15) in the order of
// kernels.Tree16; Y1 is clobbered.
#define TREE \
	VADDPS Y1, Y0, Y0 \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPS X1, X0, X0 \
	VPERMILPS $0x0e, X0, X1 \
	VADDPS X1, X0, X0 \
	VMOVSHDUP X0, X1 \
	VADDSS X1, X0, X0

// MAXTREE: X0 = the largest lane of Y0 and Y1, plus 0; Y1 is clobbered.
#define MAXTREE \
	VMAXPS Y1, Y0, Y0 \
	VEXTRACTF128 $1, Y0, X1 \
	VMAXPS X1, X0, X0 \
	VPERMILPS $0x0e, X0, X1 \
	VMAXPS X1, X0, X0 \
	VMOVSHDUP X0, X1 \
	VMAXSS X1, X0, X0 \
	VXORPS X1, X1, X1 \
	VADDSS X1, X0, X0

// func maximumAVX2(x []float32) float32
// Requires: AVX2. Y0, Y1 largest so far; Y2 lanes that met a NaN; Y3, Y4 elements; Y6, Y7 tail mask.
TEXT ·maximumAVX2(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VMOVUPS K(cNInf), Y0
	VMOVAPS Y0, Y1
	VMOVAPS Y0, Y5
	VXORPS Y2, Y2, Y2
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Y3
	VMOVUPS 32(SI), Y4
	VMAXPS Y3, Y0, Y0
	VMAXPS Y4, Y1, Y1
	VCMPPS $3, Y3, Y4, Y3 // unordered: one of the two is NaN
	VORPS Y3, Y2, Y2
	ADDQ $64, SI
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  reduce
	NEGQ CX
	LEAQ tailMask16<>+64(SB), AX
	VMOVUPS (AX)(CX*4), Y6
	VMOVUPS 32(AX)(CX*4), Y7
	VMASKMOVPS (SI), Y6, Y3
	VMASKMOVPS 32(SI), Y7, Y4
	VBLENDVPS Y6, Y3, Y5, Y3
	VBLENDVPS Y7, Y4, Y5, Y4
	VMAXPS Y3, Y0, Y0
	VMAXPS Y4, Y1, Y1
	VCMPPS $3, Y3, Y4, Y3
	VORPS Y3, Y2, Y2

reduce:
	MAXTREE
	VMOVMSKPS Y2, AX
	TESTL AX, AX
	JEQ  done
	VMOVSS K(cNaN), X0

done:
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// func maximumAVX512(x []float32) float32
// Requires: AVX512F, DQ, BW. Z0, Z1 largest so far; Z2 lanes that met a NaN; Z3, Z4 elements; K1 tail mask.
TEXT ·maximumAVX512(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS K(cNInf), Z0
	VMOVAPS Z0, Z1
	KXORW K2, K2, K2
	SUBQ $32, CX
	JLT  pair

loop32:
	VMOVUPS (SI), Z3
	VMOVUPS 64(SI), Z4
	VMAXPS Z3, Z0, Z0
	VMAXPS Z4, Z1, Z1
	VCMPPS $3, Z3, Z4, K3 // unordered: one of the two is NaN
	KORW K3, K2, K2
	ADDQ $128, SI
	SUBQ $32, CX
	JGE  loop32

pair:
	ADDQ $16, CX
	JLT  tail
	VMOVUPS (SI), Z3
	VMAXPS Z3, Z0, Z0
	VCMPPS $3, Z3, Z3, K3
	KORW K3, K2, K2
	ADDQ $64, SI
	SUBQ $16, CX

tail:
	ADDQ $16, CX
	JEQ  reduce
	MOVL $1, AX
	SHLL CX, AX
	DECL AX
	KMOVW AX, K1
	VMOVUPS.Z (SI), K1, Z3
	VMAXPS Z3, Z0, K1, Z0
	VCMPPS $3, Z3, Z3, K3
	KORW K3, K2, K2

reduce:
	VMAXPS Z1, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	MAXTREE
	KTESTW K2, K2
	JEQ  done
	VMOVSS K(cNaN), X0

done:
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// func expSumAVX2(dst, x []float32, scale, shift float32) float32
// Requires: AVX2, FMA. Y0 to Y3 and Y8 to Y11 work on lanes 0 to 7 and 8 to 15; Y4, Y5 partial
// sums; Y6, Y7 tail mask; Y12 scale; Y13 shift.
TEXT ·expSumAVX2(SB), NOSPLIT, $0-60
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	VBROADCASTSS scale+48(FP), Y12
	VBROADCASTSS shift+52(FP), Y13
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y8
	VFMSUB213PS Y13, Y12, Y0
	VFMSUB213PS Y13, Y12, Y8
	EXP8(Y0, Y1, Y2, Y3)
	EXP8(Y8, Y9, Y10, Y11)
	VMOVUPS Y0, (DI)
	VMOVUPS Y8, 32(DI)
	VADDPS Y0, Y4, Y4
	VADDPS Y8, Y5, Y5
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  done
	NEGQ CX
	LEAQ tailMask16<>+64(SB), AX
	VMOVUPS (AX)(CX*4), Y6
	VMOVUPS 32(AX)(CX*4), Y7
	VMASKMOVPS (SI), Y6, Y0
	VMASKMOVPS 32(SI), Y7, Y8
	VFMSUB213PS Y13, Y12, Y0
	VFMSUB213PS Y13, Y12, Y8
	EXP8(Y0, Y1, Y2, Y3)
	EXP8(Y8, Y9, Y10, Y11)
	VMASKMOVPS Y0, Y6, (DI)
	VMASKMOVPS Y8, Y7, 32(DI)
	VANDPS Y6, Y0, Y0
	VANDPS Y7, Y8, Y8
	VADDPS Y0, Y4, Y4
	VADDPS Y8, Y5, Y5

done:
	VMOVAPS Y4, Y0
	VMOVAPS Y5, Y1
	TREE
	VMOVSS X0, ret+56(FP)
	VZEROUPPER
	RET

// func expSumAVX512(dst, x []float32, scale, shift float32) float32
// Requires: AVX512F, DQ, BW. Z0 to Z3 work; Z4 partial sums; Z12 scale; Z13 shift; K1 tail mask.
TEXT ·expSumAVX512(SB), NOSPLIT, $0-60
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	VBROADCASTSS scale+48(FP), Z12
	VBROADCASTSS shift+52(FP), Z13
	VPXORD Z4, Z4, Z4
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	VFMSUB213PS Z13, Z12, Z0
	EXP16(Z0, Z1, Z2, Z3)
	VMOVUPS Z0, (DI)
	VADDPS Z0, Z4, Z4
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  done
	MOVL $1, AX
	SHLL CX, AX
	DECL AX
	KMOVW AX, K1
	VMOVUPS.Z (SI), K1, Z0
	VFMSUB213PS Z13, Z12, Z0
	EXP16(Z0, Z1, Z2, Z3)
	VMOVUPS Z0, K1, (DI)
	VADDPS Z0, Z4, K1, Z4

done:
	VMOVAPS Z4, Z0
	VEXTRACTF64X4 $1, Z4, Y1
	TREE
	VMOVSS X0, ret+56(FP)
	VZEROUPPER
	RET
