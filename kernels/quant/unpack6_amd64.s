//go:build !purego

#include "textflag.h"

DATA unpack6<>+0(SB)/4, $0x0f0f0f0f
DATA unpack6<>+4(SB)/4, $0x30303030
DATA unpack6<>+8(SB)/4, $0x20202020
GLOBL unpack6<>(SB), RODATA|NOPTR, $12

// JOIN: low and high bits of 32 codes, less 32, to at(DI).
#define JOIN(low, high, at) \
	VPAND Y13, low, low \
	VPAND Y14, high, high \
	VPOR high, low, low \
	VPSUBB Y15, low, low \
	VMOVDQU low, at(DI)

// HALF: 128 codes whose low bits are at low(SI), the high ones at high(SI).
#define HALF(low, high, at) \
	VMOVDQU low(SI), Y0 \
	VMOVDQU low+32(SI), Y1 \
	VMOVDQU high(SI), Y2 \
	VPSLLW $4, Y2, Y3 \
	VPSLLW $2, Y2, Y4 \
	VPSRLW $2, Y2, Y5 \
	VPSRLW $4, Y0, Y6 \
	VPSRLW $4, Y1, Y7 \
	JOIN(Y0, Y3, at) \
	JOIN(Y1, Y4, at+32) \
	JOIN(Y6, Y2, at+64) \
	JOIN(Y7, Y5, at+96)

// func unpack6AVX2(codes *[256]byte, q *[192]byte)
// Requires: AVX2. Y13 the masks of low bits, Y14 of high ones, Y15 bytes of 32.
TEXT ·unpack6AVX2(SB), NOSPLIT, $0-16
	MOVQ codes+0(FP), DI
	MOVQ q+8(FP), SI
	VPBROADCASTD unpack6<>+0(SB), Y13
	VPBROADCASTD unpack6<>+4(SB), Y14
	VPBROADCASTD unpack6<>+8(SB), Y15
	HALF(0, 128, 0)
	HALF(64, 160, 128)
	VZEROUPPER
	RET
