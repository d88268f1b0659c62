//go:build !purego

#include "textflag.h"
#include "go_asm.h"

// ROWPTR: reg = address of element CX of row AX of a matrix.
#define ROWPTR(base, stride, reg) \
	MOVQ stride(DI), reg \
	IMULQ AX, reg \
	ADDQ CX, reg \
	SHLQ $2, reg \
	ADDQ base(DI), reg

// ARGS: R8 f, R9 x, R10 o, with strides in bytes R11, R12, R13; DX the state; R15 tokens.
#define ARGS \
	MOVQ a+0(FP), DI \
	MOVQ from+8(FP), AX \
	MOVQ tokens+16(FP), R15 \
	MOVQ col+24(FP), CX \
	ROWPTR(Gate_F, Gate_FStride, R8) \
	ROWPTR(Gate_X, Gate_XStride, R9) \
	ROWPTR(Gate_O, Gate_OStride, R10) \
	MOVQ Gate_H(DI), DX \
	LEAQ (DX)(CX*4), DX \
	MOVQ Gate_FStride(DI), R11 \
	SHLQ $2, R11 \
	MOVQ Gate_XStride(DI), R12 \
	SHLQ $2, R12 \
	MOVQ Gate_OStride(DI), R13 \
	SHLQ $2, R13

// func scanAVX2(a *Gate, from, tokens, col int)
// The scan of 32 channels from col on. Requires: AVX2, FMA. Y0 to Y3 h; Y4 to Y7 x.
TEXT ·scanAVX2(SB), NOSPLIT, $0-32
	ARGS
	VMOVUPS (DX), Y0
	VMOVUPS 32(DX), Y1
	VMOVUPS 64(DX), Y2
	VMOVUPS 96(DX), Y3

token:
	VMOVUPS (R9), Y4
	VMOVUPS 32(R9), Y5
	VMOVUPS 64(R9), Y6
	VMOVUPS 96(R9), Y7
	VFMADD132PS (R8), Y4, Y0
	VFMADD132PS 32(R8), Y5, Y1
	VFMADD132PS 64(R8), Y6, Y2
	VFMADD132PS 96(R8), Y7, Y3
	VMOVUPS Y0, (R10)
	VMOVUPS Y1, 32(R10)
	VMOVUPS Y2, 64(R10)
	VMOVUPS Y3, 96(R10)
	ADDQ R11, R8
	ADDQ R12, R9
	ADDQ R13, R10
	DECQ R15
	JNE  token
	VMOVUPS Y0, (DX)
	VMOVUPS Y1, 32(DX)
	VMOVUPS Y2, 64(DX)
	VMOVUPS Y3, 96(DX)
	VZEROUPPER
	RET

// func scanAVX512(a *Gate, from, tokens, col int)
// The scan of 64 channels from col on. Requires: AVX512F. Z0 to Z3 h; Z4 to Z7 x.
TEXT ·scanAVX512(SB), NOSPLIT, $0-32
	ARGS
	VMOVUPS (DX), Z0
	VMOVUPS 64(DX), Z1
	VMOVUPS 128(DX), Z2
	VMOVUPS 192(DX), Z3

token:
	VMOVUPS (R9), Z4
	VMOVUPS 64(R9), Z5
	VMOVUPS 128(R9), Z6
	VMOVUPS 192(R9), Z7
	VFMADD132PS (R8), Z4, Z0
	VFMADD132PS 64(R8), Z5, Z1
	VFMADD132PS 128(R8), Z6, Z2
	VFMADD132PS 192(R8), Z7, Z3
	VMOVUPS Z0, (R10)
	VMOVUPS Z1, 64(R10)
	VMOVUPS Z2, 128(R10)
	VMOVUPS Z3, 192(R10)
	ADDQ R11, R8
	ADDQ R12, R9
	ADDQ R13, R10
	DECQ R15
	JNE  token
	VMOVUPS Z0, (DX)
	VMOVUPS Z1, 64(DX)
	VMOVUPS Z2, 128(DX)
	VMOVUPS Z3, 192(DX)
	VZEROUPPER
	RET
