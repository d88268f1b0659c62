//go:build !purego

#include "textflag.h"
#include "funcdata.h"
#include "go_asm.h"
#include "gated_amd64.h"
#include "diagonal_amd64.h"
#include "diagonal_avx512_amd64.h"

// func lowRankAVX512(a *Diagonal, from, tokens, col, width int)
// The recurrence of a diagonal and a low rank. Columns col to col+width, at most 32, and tokens from
// from. The block must have 32 columns if KDim rows of 128 bytes exceed the scratch. Requires: AVX512F.
// K1, K2 lanes in use; Z0, Z1 row; Z4, Z5 u; Z6, Z7 v; Z8 to Z11 sums for u, even k then odd; Z12 to Z15 sums for o.
TEXT ·lowRankAVX512(SB), 0, $32856-40
	NO_LOCAL_POINTERS
	LOWRANK
	MOVQ width+32(FP), CX
	MOVL $1, AX
	SHLQ CX, AX
	DECQ AX
	KMOVW AX, K1
	SHRQ $16, AX
	KMOVW AX, K2
	STATE(R10, BX)
	SCRATCH(7, ready)
	ZERO4(Z8, Z9, Z10, Z11)
	PAIRS(firstOdd)

first2:
	FIRST((R10), 64(R10), (SI), 64(SI), (R9)(CX*4), Z8, Z9)
	FIRST((R10)(BX*1), 64(R10)(BX*1), (SI)(AX*1), 64(SI)(AX*1), 4(R9)(CX*4), Z10, Z11)
	LEAQ (R10)(BX*2), R10
	PAIR(first2)

firstOdd:
	MOVQ base-8(SP), BX
	IFEVEN(firstKey)
	FIRST((R10), 64(R10), (SI), 64(SI), (R9)(CX*4), Z8, Z9)

firstKey:
	MOVQ key-16(SP), R9

token:
	SUMS
	ZERO4(Z12, Z13, Z14, Z15)
	MOVQ BX, SI
	DECQ R15
	JEQ  last
	ZERO4(Z8, Z9, Z10, Z11)
	NEXTPROBE
	PAIRS(midOdd)

mid2:
	LOWRANKROW((SI), 64(SI), (R13)(CX*4), (R14)(CX*4), (R9)(CX*4))
	STORE((SI), 64(SI))
	READ((R8)(CX*4), Z12, Z13)
	READ((R10)(CX*4), Z8, Z9)
	LOWRANKROW((SI)(AX*1), 64(SI)(AX*1), 4(R13)(CX*4), 4(R14)(CX*4), 4(R9)(CX*4))
	STORE((SI)(AX*1), 64(SI)(AX*1))
	READ(4(R8)(CX*4), Z14, Z15)
	READ(4(R10)(CX*4), Z10, Z11)
	PAIR(mid2)

midOdd:
	IFEVEN(midOut)
	LOWRANKROW((SI), 64(SI), (R13)(CX*4), (R14)(CX*4), (R9)(CX*4))
	STORE((SI), 64(SI))
	READ((R8)(CX*4), Z12, Z13)
	READ((R10)(CX*4), Z8, Z9)

midOut:
	OUTPUT
	NEXTTOKEN
	NEXTROW(Diagonal_WStride, R14)
	JMP  token

	// The last pass stores to the state, R10 with stride R11. The prefetch is for the next block of
	// columns.
last:
	STATE(R10, R11)
	PAIRS(lastOdd)

last2:
	LOWRANKROW((SI), 64(SI), (R13)(CX*4), (R14)(CX*4), (R9)(CX*4))
	STATESTORE((R10), 64(R10))
	READ((R8)(CX*4), Z12, Z13)
	LOWRANKROW((SI)(AX*1), 64(SI)(AX*1), 4(R13)(CX*4), 4(R14)(CX*4), 4(R9)(CX*4))
	STATESTORE((R10)(R11*1), 64(R10)(R11*1))
	READ(4(R8)(CX*4), Z14, Z15)
	PREFETCHT0 128(R10)
	PREFETCHT0 192(R10)
	PREFETCHT0 128(R10)(R11*1)
	PREFETCHT0 192(R10)(R11*1)
	LEAQ (R10)(R11*2), R10
	PAIR(last2)

lastOdd:
	IFEVEN(lastOut)
	LOWRANKROW((SI), 64(SI), (R13)(CX*4), (R14)(CX*4), (R9)(CX*4))
	STATESTORE((R10), 64(R10))
	READ((R8)(CX*4), Z12, Z13)

lastOut:
	OUTPUT
	VZEROUPPER
	RET
