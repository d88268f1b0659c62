//go:build !purego

#include "textflag.h"

// func addAVX512(dst, a, b []float32)
// dst = a + b.
// Requires: AVX512F, DQ, BW. Z0 element, Z5 second input, K1 tail mask.
TEXT ·addAVX512(SB), NOSPLIT, $0-72
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ a_base+24(FP), SI
	MOVQ b_base+48(FP), DX
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	VMOVUPS (DX), Z5
	VADDPS Z5, Z0, Z0
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
	VADDPS Z5, Z0, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func mulAVX512(dst, a, b []float32)
// dst = a * b.
// Requires: AVX512F, DQ, BW. Z0 element, Z5 second input, K1 tail mask.
TEXT ·mulAVX512(SB), NOSPLIT, $0-72
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ a_base+24(FP), SI
	MOVQ b_base+48(FP), DX
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	VMOVUPS (DX), Z5
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
	VMULPS Z5, Z0, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func scaleAVX512(dst []float32, s float32, x []float32)
// dst = s * x.
// Requires: AVX512F, DQ, BW. Z0 element, Z5 s, K1 tail mask.
TEXT ·scaleAVX512(SB), NOSPLIT, $0-56
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	VBROADCASTSS s+24(FP), Z5
	MOVQ x_base+32(FP), SI
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	VMULPS Z5, Z0, Z0
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
	VMULPS Z5, Z0, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func axpyAVX512(dst []float32, s float32, x []float32)
// dst = s*x + dst.
// Requires: AVX512F, DQ, BW. Z0 element, Z5 s, Z6 dst, K1 tail mask.
TEXT ·axpyAVX512(SB), NOSPLIT, $0-56
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	VBROADCASTSS s+24(FP), Z5
	MOVQ x_base+32(FP), SI
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z0
	VMOVUPS (DI), Z6
	VFMADD213PS Z6, Z5, Z0
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
	VMOVUPS.Z (DI), K1, Z6
	VFMADD213PS Z6, Z5, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET

// func reluAVX512(dst, x []float32)
// dst = max(x, 0). The sum turns -0 into 0.
// Requires: AVX512F, DQ, BW. Z0 element, Z5 zero, K1 tail mask.
TEXT ·reluAVX512(SB), NOSPLIT, $0-48
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ x_base+24(FP), SI
	VPXORD Z5, Z5, Z5
	SUBQ $16, CX
	JLT  tail

loop16:
	VMAXPS (SI), Z5, Z0
	VADDPS Z5, Z0, Z0
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
	VMAXPS Z0, Z5, Z0
	VADDPS Z5, Z0, Z0
	VMOVUPS Z0, K1, (DI)

done:
	VZEROUPPER
	RET
