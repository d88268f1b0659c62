//go:build !purego

#include "textflag.h"

// func addAVX2(dst, a, b []float32)
// dst = a + b.
// Requires: AVX2, FMA. Y0 element, Y5 second input, Y7 tail mask.
TEXT ·addAVX2(SB), NOSPLIT, $0-72
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ a_base+24(FP), SI
	MOVQ b_base+48(FP), DX
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	VMOVUPS (DX), Y5
	VADDPS Y5, Y0, Y0
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
	VADDPS Y5, Y0, Y0
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET

// func mulAVX2(dst, a, b []float32)
// dst = a * b.
// Requires: AVX2, FMA. Y0 element, Y5 second input, Y7 tail mask.
TEXT ·mulAVX2(SB), NOSPLIT, $0-72
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ a_base+24(FP), SI
	MOVQ b_base+48(FP), DX
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	VMOVUPS (DX), Y5
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
	VMULPS Y5, Y0, Y0
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET

// func scaleAVX2(dst []float32, s float32, x []float32)
// dst = s * x.
// Requires: AVX2, FMA. Y0 element, Y5 s, Y7 tail mask.
TEXT ·scaleAVX2(SB), NOSPLIT, $0-56
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	VBROADCASTSS s+24(FP), Y5
	MOVQ x_base+32(FP), SI
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	VMULPS Y5, Y0, Y0
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
	VMULPS Y5, Y0, Y0
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET

// func axpyAVX2(dst []float32, s float32, x []float32)
// dst = s*x + dst.
// Requires: AVX2, FMA. Y0 element, Y5 s, Y6 dst, Y7 tail mask.
TEXT ·axpyAVX2(SB), NOSPLIT, $0-56
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	VBROADCASTSS s+24(FP), Y5
	MOVQ x_base+32(FP), SI
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (SI), Y0
	VMOVUPS (DI), Y6
	VFMADD213PS Y6, Y5, Y0
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
	VMASKMOVPS (DI), Y7, Y6
	VFMADD213PS Y6, Y5, Y0
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET

// func reluAVX2(dst, x []float32)
// dst = max(x, 0). The sum turns -0 into 0.
// Requires: AVX2, FMA. Y0 element, Y5 zero, Y7 tail mask.
TEXT ·reluAVX2(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	VXORPS Y5, Y5, Y5
	SUBQ $8, CX
	JLT  tail

loop8:
	VMAXPS (SI), Y5, Y0
	VADDPS Y5, Y0, Y0
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
	VMAXPS Y0, Y5, Y0
	VADDPS Y5, Y0, Y0
	VMASKMOVPS Y0, Y7, (DI)

done:
	VZEROUPPER
	RET
