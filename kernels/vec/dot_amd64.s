//go:build !purego

#include "textflag.h"

// tailMaskDot, read from element 16-n, masks the first n of sixteen lanes.
DATA tailMaskDot<>+0(SB)/8, $-1
DATA tailMaskDot<>+8(SB)/8, $-1
DATA tailMaskDot<>+16(SB)/8, $-1
DATA tailMaskDot<>+24(SB)/8, $-1
DATA tailMaskDot<>+32(SB)/8, $-1
DATA tailMaskDot<>+40(SB)/8, $-1
DATA tailMaskDot<>+48(SB)/8, $-1
DATA tailMaskDot<>+56(SB)/8, $-1
GLOBL tailMaskDot<>(SB), RODATA|NOPTR, $128

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

// MASK16: K1 = the first CX of sixteen lanes; AX is clobbered.
#define MASK16 \
	MOVL $1, AX \
	SHLL CX, AX \
	DECL AX \
	KMOVW AX, K1

// func dotAVX2(a, b []float32) float32
// Requires: AVX2, FMA. Y0, Y1 partial sums; Y2, Y3 elements; Y6, Y7 tail mask.
TEXT ·dotAVX2(SB), NOSPLIT, $0-52
	MOVQ a_base+0(FP), SI
	MOVQ a_len+8(FP), CX
	MOVQ b_base+24(FP), DI
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Y2
	VMOVUPS 32(SI), Y3
	VFMADD231PS (DI), Y2, Y0
	VFMADD231PS 32(DI), Y3, Y1
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  reduce
	NEGQ CX
	LEAQ tailMaskDot<>+64(SB), AX
	VMOVUPS (AX)(CX*4), Y6
	VMOVUPS 32(AX)(CX*4), Y7
	VMASKMOVPS (SI), Y6, Y2
	VMASKMOVPS 32(SI), Y7, Y3
	VMASKMOVPS (DI), Y6, Y4
	VMASKMOVPS 32(DI), Y7, Y5
	VFMADD213PS Y0, Y4, Y2
	VFMADD213PS Y1, Y5, Y3
	VBLENDVPS Y6, Y2, Y0, Y0
	VBLENDVPS Y7, Y3, Y1, Y1

reduce:
	TREE
	VMOVSS X0, ret+48(FP)
	VZEROUPPER
	RET

// func dotAVX512(a, b []float32) float32
// Requires: AVX512F. Z0 partial sums; Z2 elements; K1 tail mask.
TEXT ·dotAVX512(SB), NOSPLIT, $0-52
	MOVQ a_base+0(FP), SI
	MOVQ a_len+8(FP), CX
	MOVQ b_base+24(FP), DI
	VPXORQ Z0, Z0, Z0
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (SI), Z2
	VFMADD231PS (DI), Z2, Z0
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  reduce
	MASK16
	VMOVUPS.Z (SI), K1, Z2
	VMOVUPS.Z (DI), K1, Z3
	VFMADD231PS Z3, Z2, K1, Z0

reduce:
	VEXTRACTF64X4 $1, Z0, Y1
	TREE
	VMOVSS X0, ret+48(FP)
	VZEROUPPER
	RET

// func sumAVX2(x []float32) float32
// Requires: AVX2. Y0, Y1 partial sums; Y6, Y7 tail mask.
TEXT ·sumAVX2(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	SUBQ $16, CX
	JLT  tail

loop16:
	VADDPS (SI), Y0, Y0
	VADDPS 32(SI), Y1, Y1
	ADDQ $64, SI
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  reduce
	NEGQ CX
	LEAQ tailMaskDot<>+64(SB), AX
	VMOVUPS (AX)(CX*4), Y6
	VMOVUPS 32(AX)(CX*4), Y7
	VMASKMOVPS (SI), Y6, Y2
	VMASKMOVPS 32(SI), Y7, Y3
	VADDPS Y0, Y2, Y2
	VADDPS Y1, Y3, Y3
	VBLENDVPS Y6, Y2, Y0, Y0
	VBLENDVPS Y7, Y3, Y1, Y1

reduce:
	TREE
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// func sumAVX512(x []float32) float32
// Requires: AVX512F. Z0 partial sums; K1 tail mask.
TEXT ·sumAVX512(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VPXORQ Z0, Z0, Z0
	SUBQ $16, CX
	JLT  tail

loop16:
	VADDPS (SI), Z0, Z0
	ADDQ $64, SI
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  reduce
	MASK16
	VMOVUPS.Z (SI), K1, Z2
	VADDPS Z2, Z0, K1, Z0

reduce:
	VEXTRACTF64X4 $1, Z0, Y1
	TREE
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// func shiftAVX2(dst, x []float32, s float32)
// Requires: AVX2. Y0 s; Y1, Y2 elements; Y6, Y7 tail mask.
TEXT ·shiftAVX2(SB), NOSPLIT, $0-52
	MOVQ dst_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), CX
	VBROADCASTSS s+48(FP), Y0
	SUBQ $16, CX
	JLT  tail

loop16:
	VADDPS (SI), Y0, Y1
	VADDPS 32(SI), Y0, Y2
	VMOVUPS Y1, (DI)
	VMOVUPS Y2, 32(DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  done
	NEGQ CX
	LEAQ tailMaskDot<>+64(SB), AX
	VMOVUPS (AX)(CX*4), Y6
	VMOVUPS 32(AX)(CX*4), Y7
	VMASKMOVPS (SI), Y6, Y1
	VMASKMOVPS 32(SI), Y7, Y2
	VADDPS Y1, Y0, Y1
	VADDPS Y2, Y0, Y2
	VMASKMOVPS Y1, Y6, (DI)
	VMASKMOVPS Y2, Y7, 32(DI)

done:
	VZEROUPPER
	RET

// func shiftAVX512(dst, x []float32, s float32)
// Requires: AVX512F. Z0 s; Z1 elements; K1 tail mask.
TEXT ·shiftAVX512(SB), NOSPLIT, $0-52
	MOVQ dst_base+0(FP), DI
	MOVQ x_base+24(FP), SI
	MOVQ x_len+32(FP), CX
	VBROADCASTSS s+48(FP), Z0
	SUBQ $16, CX
	JLT  tail

loop16:
	VADDPS (SI), Z0, Z1
	VMOVUPS Z1, (DI)
	ADDQ $64, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  done
	MASK16
	VMOVUPS.Z (SI), K1, Z1
	VADDPS Z1, Z0, Z1
	VMOVUPS Z1, K1, (DI)

done:
	VZEROUPPER
	RET
