//go:build !purego

#include "textflag.h"
#include "vec_amd64.h"

// func expAVX512(dst, x []float32)
// dst = exp(x).
// Requires: AVX512F, DQ, BW. Z0 element, K1 tail mask.
TEXT ·expAVX512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	EXP16(Z0, Z1, Z2, Z3)
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
	EXP16(Z0, Z1, Z2, Z3)
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func logAVX512(dst, x []float32)
// dst = ln(x).
// Requires: AVX512F, DQ, BW. Z0 element, K1 tail mask.
TEXT ·logAVX512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	VMOVAPS Z0, Z4
	VCMPPS.BCST $1, K(cTiny), Z0, K2 // below the normal range
	VPXORD Z5, Z5, Z5
	VMULPS.BCST K(cUp), Z0, K2, Z0
	VBROADCASTSS K(cN23), K2, Z5
	REDUCE16(Z0, Z6, Z1)
	VADDPS Z6, Z5, Z6
	LOGPOLY16(Z0, Z6, Z2, Z3)
	VPXORD Z1, Z1, Z1
	VCMPPS $10, Z1, Z4, K2 // not (x > 0): NaN
	VBROADCASTSS K(cNaN), K2, Z2
	VCMPPS $0, Z1, Z4, K2 // x = 0: -Inf
	VBROADCASTSS K(cNInf), K2, Z2
	VCMPPS.BCST $0, K(cInf), Z4, K2 // x = +Inf stays
	VMOVAPS Z4, K2, Z2
	VMOVAPS Z2, Z0
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
	VMOVAPS Z0, Z4
	VCMPPS.BCST $1, K(cTiny), Z0, K2 // below the normal range
	VPXORD Z5, Z5, Z5
	VMULPS.BCST K(cUp), Z0, K2, Z0
	VBROADCASTSS K(cN23), K2, Z5
	REDUCE16(Z0, Z6, Z1)
	VADDPS Z6, Z5, Z6
	LOGPOLY16(Z0, Z6, Z2, Z3)
	VPXORD Z1, Z1, Z1
	VCMPPS $10, Z1, Z4, K2 // not (x > 0): NaN
	VBROADCASTSS K(cNaN), K2, Z2
	VCMPPS $0, Z1, Z4, K2 // x = 0: -Inf
	VBROADCASTSS K(cNInf), K2, Z2
	VCMPPS.BCST $0, K(cInf), Z4, K2 // x = +Inf stays
	VMOVAPS Z4, K2, Z2
	VMOVAPS Z2, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func sigmoidAVX512(dst, x []float32)
// dst = 1 / (1 + exp(-x)).
// Requires: AVX512F, DQ, BW. Z0 element, K1 tail mask.
TEXT ·sigmoidAVX512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	VPXORD.BCST K(cSign), Z0, Z0
	EXP16(Z0, Z1, Z2, Z3)
	VBROADCASTSS K(cOne), Z1
	VADDPS Z1, Z0, Z0
	VDIVPS Z0, Z1, Z0
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
	VPXORD.BCST K(cSign), Z0, Z0
	EXP16(Z0, Z1, Z2, Z3)
	VBROADCASTSS K(cOne), Z1
	VADDPS Z1, Z0, Z0
	VDIVPS Z0, Z1, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func siluAVX512(dst, x []float32)
// dst = x / (1 + exp(-x)).
// Requires: AVX512F, DQ, BW. Z0 element, K1 tail mask.
TEXT ·siluAVX512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	VMOVAPS Z0, Z4
	VPXORD.BCST K(cSign), Z0, Z0
	EXP16(Z0, Z1, Z2, Z3)
	VADDPS.BCST K(cOne), Z0, Z0
	VDIVPS Z0, Z4, Z0
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
	VMOVAPS Z0, Z4
	VPXORD.BCST K(cSign), Z0, Z0
	EXP16(Z0, Z1, Z2, Z3)
	VADDPS.BCST K(cOne), Z0, Z0
	VDIVPS Z0, Z4, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func softplusAVX512(dst, x []float32)
// dst = max(x, 0) + log1p(exp(-|x|)).
// Requires: AVX512F, DQ, BW. Z0 element, K1 tail mask.
TEXT ·softplusAVX512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	VMOVAPS Z0, Z4
	VPORD.BCST K(cSign), Z0, Z0
	EXP16(Z0, Z1, Z2, Z3)
	VADDPS.BCST K(cOne), Z0, Z1 // y = 1 + u
	VSUBPS.BCST K(cOne), Z1, Z2
	VSUBPS Z2, Z0, Z2
	VDIVPS Z1, Z2, Z5 // (u - (y-1)) / y
	REDUCE16(Z1, Z6, Z2)
	LOGPOLY16(Z1, Z6, Z2, Z3)
	VADDPS Z5, Z2, Z2
	VPXORD Z1, Z1, Z1
	VMAXPS Z4, Z1, Z1
	VADDPS Z2, Z1, Z0
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
	VMOVAPS Z0, Z4
	VPORD.BCST K(cSign), Z0, Z0
	EXP16(Z0, Z1, Z2, Z3)
	VADDPS.BCST K(cOne), Z0, Z1 // y = 1 + u
	VSUBPS.BCST K(cOne), Z1, Z2
	VSUBPS Z2, Z0, Z2
	VDIVPS Z1, Z2, Z5 // (u - (y-1)) / y
	REDUCE16(Z1, Z6, Z2)
	LOGPOLY16(Z1, Z6, Z2, Z3)
	VADDPS Z5, Z2, Z2
	VPXORD Z1, Z1, Z1
	VMAXPS Z4, Z1, Z1
	VADDPS Z2, Z1, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func siluMulAVX512(dst, gate, up []float32)
// dst = gate / (1 + exp(-gate)) * up.
// Requires: AVX512F, DQ, BW. Z0 element, Z5 second input, K1 tail mask.
TEXT ·siluMulAVX512(SB), NOSPLIT, $0-72
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ gate_base+24(FP), SI
	MOVQ up_base+48(FP), DX
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	VMOVUPS (DX), Z5
	VMOVAPS Z0, Z4
	VPXORD.BCST K(cSign), Z0, Z0
	EXP16(Z0, Z1, Z2, Z3)
	VADDPS.BCST K(cOne), Z0, Z0
	VDIVPS Z0, Z4, Z0
	VMULPS Z5, Z0, Z0
	VMOVUPS Z0, (DI)
	ADDQ $64, SI
	ADDQ $64, DX
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
	VMOVUPS.Z (DX), K1, Z5
	VMOVAPS Z0, Z4
	VPXORD.BCST K(cSign), Z0, Z0
	EXP16(Z0, Z1, Z2, Z3)
	VADDPS.BCST K(cOne), Z0, Z0
	VDIVPS Z0, Z4, Z0
	VMULPS Z5, Z0, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET
