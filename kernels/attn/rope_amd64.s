//go:build !purego

#include "textflag.h"

// tailMask, read from element 8-n, masks the first n of eight lanes.
DATA tailMask<>+0(SB)/8, $-1
DATA tailMask<>+8(SB)/8, $-1
DATA tailMask<>+16(SB)/8, $-1
DATA tailMask<>+24(SB)/8, $-1
GLOBL tailMask<>(SB), RODATA|NOPTR, $64

// ARGS: DI the first half of x, SI the second, DX cos, BX sin, CX elements of a half.
#define ARGS \
	MOVQ x_base+0(FP), DI \
	MOVQ cos_base+24(FP), DX \
	MOVQ cos_len+32(FP), CX \
	MOVQ sin_base+48(FP), BX \
	LEAQ (DI)(CX*4), SI

// ROTATE: (a, b) = (a·c - b·s, b·c + a·s); t is clobbered, s becomes a·s.
#define ROTATE(a, b, c, s, t) \
	VMULPS s, b, t \
	VMULPS s, a, s \
	VFMSUB213PS t, c, a \
	VFMADD213PS s, c, b

// func ropeAVX2(x, cos, sin []float32)
// Requires: AVX2, FMA. Y0, Y1 the halves; Y2 cos; Y3 sin; Y7 tail mask.
TEXT ·ropeAVX2(SB), NOSPLIT, $0-72
	ARGS
	SUBQ $8, CX
	JLT  tail

loop8:
	VMOVUPS (DI), Y0
	VMOVUPS (SI), Y1
	VMOVUPS (DX), Y2
	VMOVUPS (BX), Y3
	ROTATE(Y0, Y1, Y2, Y3, Y4)
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, (SI)
	ADDQ $32, DI
	ADDQ $32, SI
	ADDQ $32, DX
	ADDQ $32, BX
	SUBQ $8, CX
	JGE  loop8

tail:
	ADDQ $8, CX
	JEQ  done
	NEGQ CX
	LEAQ tailMask<>+32(SB), AX
	VMOVUPS (AX)(CX*4), Y7
	VMASKMOVPS (DI), Y7, Y0
	VMASKMOVPS (SI), Y7, Y1
	VMASKMOVPS (DX), Y7, Y2
	VMASKMOVPS (BX), Y7, Y3
	ROTATE(Y0, Y1, Y2, Y3, Y4)
	VMASKMOVPS Y0, Y7, (DI)
	VMASKMOVPS Y1, Y7, (SI)

done:
	VZEROUPPER
	RET

// func ropeAVX512(x, cos, sin []float32)
// Requires: AVX512F. Z0, Z1 the halves; Z2 cos; Z3 sin; K1 tail mask.
TEXT ·ropeAVX512(SB), NOSPLIT, $0-72
	ARGS
	SUBQ $16, CX
	JLT  tail

loop16:
	VMOVUPS (DI), Z0
	VMOVUPS (SI), Z1
	VMOVUPS (DX), Z2
	VMOVUPS (BX), Z3
	ROTATE(Z0, Z1, Z2, Z3, Z4)
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, (SI)
	ADDQ $64, DI
	ADDQ $64, SI
	ADDQ $64, DX
	ADDQ $64, BX
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  done
	MOVL $1, AX
	SHLL CX, AX
	DECL AX
	KMOVW AX, K1
	VMOVUPS.Z (DI), K1, Z0
	VMOVUPS.Z (SI), K1, Z1
	VMOVUPS.Z (DX), K1, Z2
	VMOVUPS.Z (BX), K1, Z3
	ROTATE(Z0, Z1, Z2, Z3, Z4)
	VMOVUPS Z0, K1, (DI)
	VMOVUPS Z1, K1, (SI)

done:
	VZEROUPPER
	RET
