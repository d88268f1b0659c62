//go:build !purego

#include "textflag.h"
#include "vec_amd64.h"

// func expAVX2(dst, x []float32)
// dst = exp(x).
// Requires: AVX2, FMA. Y0 element, Y7 tail mask.
TEXT ·expAVX2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	EXP8(Y0, Y1, Y2, Y3)
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
	EXP8(Y0, Y1, Y2, Y3)
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET

// func logAVX2(dst, x []float32)
// dst = ln(x).
// Requires: AVX2, FMA. Y0 element, Y7 tail mask.
TEXT ·logAVX2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	VMOVAPS Y0, Y4
	VCMPPS $1, K(cTiny), Y0, Y1 // below the normal range
	VMULPS K(cUp), Y0, Y2
	VBLENDVPS Y1, Y2, Y0, Y0
	VANDPS K(cN23), Y1, Y5
	REDUCE8(Y0, Y6, Y1)
	VADDPS Y6, Y5, Y6
	LOGPOLY8(Y0, Y6, Y2, Y3)
	VXORPS Y1, Y1, Y1
	VCMPPS $10, Y1, Y4, Y3 // not (x > 0): NaN
	VMOVUPS K(cNaN), Y5
	VBLENDVPS Y3, Y5, Y2, Y2
	VCMPPS $0, Y1, Y4, Y3 // x = 0: -Inf
	VMOVUPS K(cNInf), Y5
	VBLENDVPS Y3, Y5, Y2, Y2
	VCMPPS $0, K(cInf), Y4, Y3 // x = +Inf stays
	VBLENDVPS Y3, Y4, Y2, Y0
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
	VMOVAPS Y0, Y4
	VCMPPS $1, K(cTiny), Y0, Y1 // below the normal range
	VMULPS K(cUp), Y0, Y2
	VBLENDVPS Y1, Y2, Y0, Y0
	VANDPS K(cN23), Y1, Y5
	REDUCE8(Y0, Y6, Y1)
	VADDPS Y6, Y5, Y6
	LOGPOLY8(Y0, Y6, Y2, Y3)
	VXORPS Y1, Y1, Y1
	VCMPPS $10, Y1, Y4, Y3 // not (x > 0): NaN
	VMOVUPS K(cNaN), Y5
	VBLENDVPS Y3, Y5, Y2, Y2
	VCMPPS $0, Y1, Y4, Y3 // x = 0: -Inf
	VMOVUPS K(cNInf), Y5
	VBLENDVPS Y3, Y5, Y2, Y2
	VCMPPS $0, K(cInf), Y4, Y3 // x = +Inf stays
	VBLENDVPS Y3, Y4, Y2, Y0
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET

// func sigmoidAVX2(dst, x []float32)
// dst = 1 / (1 + exp(-x)).
// Requires: AVX2, FMA. Y0 element, Y7 tail mask.
TEXT ·sigmoidAVX2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	VXORPS K(cSign), Y0, Y0
	EXP8(Y0, Y1, Y2, Y3)
	VMOVUPS K(cOne), Y1
	VADDPS Y1, Y0, Y0
	VDIVPS Y0, Y1, Y0
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
	VXORPS K(cSign), Y0, Y0
	EXP8(Y0, Y1, Y2, Y3)
	VMOVUPS K(cOne), Y1
	VADDPS Y1, Y0, Y0
	VDIVPS Y0, Y1, Y0
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET

// func siluAVX2(dst, x []float32)
// dst = x / (1 + exp(-x)).
// Requires: AVX2, FMA. Y0 element, Y7 tail mask.
TEXT ·siluAVX2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	VMOVAPS Y0, Y4
	VXORPS K(cSign), Y0, Y0
	EXP8(Y0, Y1, Y2, Y3)
	VADDPS K(cOne), Y0, Y0
	VDIVPS Y0, Y4, Y0
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
	VMOVAPS Y0, Y4
	VXORPS K(cSign), Y0, Y0
	EXP8(Y0, Y1, Y2, Y3)
	VADDPS K(cOne), Y0, Y0
	VDIVPS Y0, Y4, Y0
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET

// func softplusAVX2(dst, x []float32)
// dst = max(x, 0) + log1p(exp(-|x|)).
// Requires: AVX2, FMA. Y0 element, Y7 tail mask.
TEXT ·softplusAVX2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	VMOVAPS Y0, Y4
	VORPS K(cSign), Y0, Y0
	EXP8(Y0, Y1, Y2, Y3)
	VADDPS K(cOne), Y0, Y1 // y = 1 + u
	VSUBPS K(cOne), Y1, Y2
	VSUBPS Y2, Y0, Y2
	VDIVPS Y1, Y2, Y5 // (u - (y-1)) / y
	REDUCE8(Y1, Y6, Y2)
	LOGPOLY8(Y1, Y6, Y2, Y3)
	VADDPS Y5, Y2, Y2
	VXORPS Y1, Y1, Y1
	VMAXPS Y4, Y1, Y1
	VADDPS Y2, Y1, Y0
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
	VMOVAPS Y0, Y4
	VORPS K(cSign), Y0, Y0
	EXP8(Y0, Y1, Y2, Y3)
	VADDPS K(cOne), Y0, Y1 // y = 1 + u
	VSUBPS K(cOne), Y1, Y2
	VSUBPS Y2, Y0, Y2
	VDIVPS Y1, Y2, Y5 // (u - (y-1)) / y
	REDUCE8(Y1, Y6, Y2)
	LOGPOLY8(Y1, Y6, Y2, Y3)
	VADDPS Y5, Y2, Y2
	VXORPS Y1, Y1, Y1
	VMAXPS Y4, Y1, Y1
	VADDPS Y2, Y1, Y0
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET

// func siluMulAVX2(dst, gate, up []float32)
// dst = gate / (1 + exp(-gate)) * up.
// Requires: AVX2, FMA. Y0 element, Y5 second input, Y7 tail mask.
TEXT ·siluMulAVX2(SB), NOSPLIT, $0-72
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ gate_base+24(FP), SI
	MOVQ up_base+48(FP), DX
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	VMOVUPS (DX), Y5
	VMOVAPS Y0, Y4
	VXORPS K(cSign), Y0, Y0
	EXP8(Y0, Y1, Y2, Y3)
	VADDPS K(cOne), Y0, Y0
	VDIVPS Y0, Y4, Y0
	VMULPS Y5, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $32, SI
	ADDQ $32, DX
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
	VMASKMOVPS (DX), Y7, Y5
	VMOVAPS Y0, Y4
	VXORPS K(cSign), Y0, Y0
	EXP8(Y0, Y1, Y2, Y3)
	VADDPS K(cOne), Y0, Y0
	VDIVPS Y0, Y4, Y0
	VMULPS Y5, Y0, Y0
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET
