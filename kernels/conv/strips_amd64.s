//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// zeros is the bias of sixteen channels where there is none.
GLOBL zeros<>(SB), RODATA|NOPTR, $64

// ARGS: DI dst, SI x, R8 w, R9 bias, R10 tail, CX strips, R11 and R12 the strides of dst and x,
// R13 that of w and tail.
#define ARGS \
	MOVQ a+0(FP), AX \
	MOVQ stripsArgs_dst(AX), DI \
	MOVQ stripsArgs_x(AX), SI \
	MOVQ stripsArgs_w(AX), R8 \
	MOVQ stripsArgs_bias(AX), R9 \
	MOVQ stripsArgs_tail(AX), R10 \
	MOVQ stripsArgs_strips(AX), CX \
	MOVQ stripsArgs_dstStride(AX), R11 \
	MOVQ stripsArgs_xStride(AX), R12 \
	MOVQ stripsArgs_stride(AX), R13

// STRIP: BX, DX the strip's first rows of dst and x, R9 its bias; AX tokens.
#define STRIP \
	MOVQ a+0(FP), AX \
	MOVQ stripsArgs_tokens(AX), AX \
	MOVQ DI, BX \
	MOVQ SI, DX

// NEXT: the pointers of the next strip; AX is clobbered.
#define NEXT \
	ADDQ $64, DI \
	ADDQ $64, SI \
	ADDQ $64, R8 \
	ADDQ $64, R10 \
	MOVQ a+0(FP), AX \
	CMPQ stripsArgs_bias(AX), $0 \
	JEQ  more \
	ADDQ $64, R9 \
more: \
	DECQ CX \
	JNE  strip

// func stripsAVX2(a *stripsArgs)
// Requires: AVX2, FMA. Y0, Y1 sums; Y2 to Y7 the last three inputs, oldest first; Y8 to Y15 the
// four taps.
TEXT ·stripsAVX2(SB), NOSPLIT, $0-8
	ARGS
	TESTQ R9, R9
	JNE  strip
	LEAQ zeros<>(SB), R9

strip:
	LEAQ (R13)(R13*2), AX
	VMOVUPS (R8), Y8
	VMOVUPS 32(R8), Y9
	VMOVUPS (R8)(R13*1), Y10
	VMOVUPS 32(R8)(R13*1), Y11
	VMOVUPS (R8)(R13*2), Y12
	VMOVUPS 32(R8)(R13*2), Y13
	VMOVUPS (R8)(AX*1), Y14
	VMOVUPS 32(R8)(AX*1), Y15
	VMOVUPS (R10), Y2
	VMOVUPS 32(R10), Y3
	VMOVUPS (R10)(R13*1), Y4
	VMOVUPS 32(R10)(R13*1), Y5
	VMOVUPS (R10)(R13*2), Y6
	VMOVUPS 32(R10)(R13*2), Y7
	STRIP

token:
	VMOVUPS (R9), Y0
	VMOVUPS 32(R9), Y1
	VFMADD231PS Y8, Y2, Y0
	VFMADD231PS Y9, Y3, Y1
	VFMADD231PS Y10, Y4, Y0
	VFMADD231PS Y11, Y5, Y1
	VFMADD231PS Y12, Y6, Y0
	VFMADD231PS Y13, Y7, Y1
	VMOVAPS Y4, Y2
	VMOVAPS Y5, Y3
	VMOVAPS Y6, Y4
	VMOVAPS Y7, Y5
	VMOVUPS (DX), Y6
	VMOVUPS 32(DX), Y7
	VFMADD231PS Y14, Y6, Y0
	VFMADD231PS Y15, Y7, Y1
	VMOVUPS Y0, (BX)
	VMOVUPS Y1, 32(BX)
	ADDQ R11, BX
	ADDQ R12, DX
	DECQ AX
	JNE  token

	VMOVUPS Y2, (R10)
	VMOVUPS Y3, 32(R10)
	VMOVUPS Y4, (R10)(R13*1)
	VMOVUPS Y5, 32(R10)(R13*1)
	VMOVUPS Y6, (R10)(R13*2)
	VMOVUPS Y7, 32(R10)(R13*2)
	NEXT
	VZEROUPPER
	RET

// func stripsAVX512(a *stripsArgs)
// Requires: AVX512F. Z0 sums; Z2, Z4, Z6 the last three inputs, oldest first; Z8, Z10, Z12, Z14
// the four taps.
TEXT ·stripsAVX512(SB), NOSPLIT, $0-8
	ARGS
	TESTQ R9, R9
	JNE  strip
	LEAQ zeros<>(SB), R9

strip:
	LEAQ (R13)(R13*2), AX
	VMOVUPS (R8), Z8
	VMOVUPS (R8)(R13*1), Z10
	VMOVUPS (R8)(R13*2), Z12
	VMOVUPS (R8)(AX*1), Z14
	VMOVUPS (R10), Z2
	VMOVUPS (R10)(R13*1), Z4
	VMOVUPS (R10)(R13*2), Z6
	STRIP

token:
	VMOVUPS (R9), Z0
	VFMADD231PS Z8, Z2, Z0
	VFMADD231PS Z10, Z4, Z0
	VFMADD231PS Z12, Z6, Z0
	VMOVAPS Z4, Z2
	VMOVAPS Z6, Z4
	VMOVUPS (DX), Z6
	VFMADD231PS Z14, Z6, Z0
	VMOVUPS Z0, (BX)
	ADDQ R11, BX
	ADDQ R12, DX
	DECQ AX
	JNE  token

	VMOVUPS Z2, (R10)
	VMOVUPS Z4, (R10)(R13*1)
	VMOVUPS Z6, (R10)(R13*2)
	NEXT
	VZEROUPPER
	RET
