//go:build !purego

#include "textflag.h"
#include "vec_amd64.h"

// G: row n of ·geluConstants.
#define G(n) ·geluConstants+32*n(SB)

// GELU8: x = GELU(x) in eight lanes, by way of Y1 to Y4. The bound goes first in MIN so that a NaN stays.
#define GELU8(x) \
	VMOVAPS x, Y4 \
	VMOVUPS K(cSign), Y1 \
	VANDNPS x, Y1, Y1 \
	VMOVUPS G(0), Y2 \
	VMINPS Y1, Y2, Y1 \
	VMOVUPS G(1), x \
	VFMADD213PS G(2), Y1, x \
	VFMADD213PS G(3), Y1, x \
	VFMADD213PS G(4), Y1, x \
	VFMADD213PS G(5), Y1, x \
	VFMADD213PS G(6), Y1, x \
	VFMADD213PS G(7), Y1, x \
	VFMADD213PS G(8), Y1, x \
	VFMADD213PS G(9), Y1, x \
	VFMADD213PS G(10), Y1, x \
	EXP8(x, Y1, Y2, Y3) \
	VMOVUPS K(cOne), Y1 \
	VSUBPS x, Y1, Y1 \
	VBLENDVPS Y4, x, Y1, x \
	VMULPS Y4, x, x

// GELU16: the same in sixteen lanes, by way of Z1 to Z4 and K2.
#define GELU16(x) \
	VMOVAPS x, Z4 \
	VPMOVD2M x, K2 \
	VPBROADCASTD K(cSign), Z1 \
	VPANDND x, Z1, Z1 \
	VBROADCASTSS G(0), Z2 \
	VMINPS Z1, Z2, Z1 \
	VBROADCASTSS G(1), x \
	VFMADD213PS.BCST G(2), Z1, x \
	VFMADD213PS.BCST G(3), Z1, x \
	VFMADD213PS.BCST G(4), Z1, x \
	VFMADD213PS.BCST G(5), Z1, x \
	VFMADD213PS.BCST G(6), Z1, x \
	VFMADD213PS.BCST G(7), Z1, x \
	VFMADD213PS.BCST G(8), Z1, x \
	VFMADD213PS.BCST G(9), Z1, x \
	VFMADD213PS.BCST G(10), Z1, x \
	EXP16(x, Z1, Z2, Z3) \
	VBROADCASTSS K(cOne), Z1 \
	VSUBPS x, Z1, Z1 \
	VMOVAPS x, K2, Z1 \
	VMULPS Z4, Z1, x

// func geluAVX2(dst, x []float32)
// dst = x·Φ(x).
// Requires: AVX2, FMA. Y0 element, Y7 tail mask.
TEXT ·geluAVX2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	GELU8(Y0)
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DI
	SUBQ $8, CX
	JGE  loop8

tail:
	ADDQ $8, CX
	JEQ  done
	NEGQ CX
	LEAQ ·tailMask+32(SB), AX
	VMOVDQU (AX)(CX*4), Y7
	VMASKMOVPS (SI), Y7, Y0
	GELU8(Y0)
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET

// func geluAVX512(dst, x []float32)
// dst = x·Φ(x).
// Requires: AVX512F, DQ, BW. Z0 element, K1 tail mask.
TEXT ·geluAVX512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	GELU16(Z0)
	VMOVUPS Z0, (DI)
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
	GELU16(Z0)
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET
