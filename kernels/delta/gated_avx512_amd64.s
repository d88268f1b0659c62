//go:build !purego

#include "textflag.h"
#include "funcdata.h"
#include "go_asm.h"
#include "gated_amd64.h"

// FIRST: a row of the state goes to the scratch and its product with the key to sums u0, u1.
#define FIRST(from0, from1, to0, to1, key, u0, u1) \
	VMOVUPS.Z from0, K1, Z0 \
	VMOVUPS.Z from1, K2, Z1 \
	VBROADCASTSS key, Z4 \
	VMOVUPS Z0, to0 \
	VMOVUPS Z1, to1 \
	VFMADD231PS Z0, Z4, u0 \
	VFMADD231PS Z1, Z4, u1

// UPDATE: Z0, Z1 = a·S + k·d of one row.
#define UPDATE(from0, from1, key) \
	VBROADCASTSS key, Z2 \
	VMULPS from0, Z5, Z0 \
	VMULPS from1, Z5, Z1 \
	VFMADD231PS Z2, Z6, Z0 \
	VFMADD231PS Z2, Z7, Z1

// STORE: the row goes back to the scratch. STATESTORE: the lanes in use go to the state.
#define STORE(to0, to1) \
	VMOVUPS Z0, to0 \
	VMOVUPS Z1, to1

#define STATESTORE(to0, to1) \
	VMOVUPS Z0, K1, to0 \
	VMOVUPS Z1, K2, to1

// READ: the product of the row in Z0, Z1 with x goes to sums p0, p1.
#define READ(x, p0, p1) \
	VBROADCASTSS x, Z3 \
	VFMADD231PS Z0, Z3, p0 \
	VFMADD231PS Z1, Z3, p1

#define ZERO4(a, b, c, d) \
	VPXORQ a, a, a \
	VPXORQ b, b, b \
	VPXORQ c, c, c \
	VPXORQ d, d, d

// DELTA: Z5 = a and Z6, Z7 = d of the next token from the sums in Z8 to Z11.
#define DELTA \
	VBROADCASTSS (R13), Z5 \
	VMOVUPS.Z (R11), K1, Z6 \
	VMOVUPS.Z 64(R11), K2, Z7 \
	VBROADCASTSS (R14), Z2 \
	VADDPS Z10, Z8, Z8 \
	VADDPS Z11, Z9, Z9 \
	VFNMADD231PS Z8, Z5, Z6 \
	VFNMADD231PS Z9, Z5, Z7 \
	VMULPS Z2, Z6, Z6 \
	VMULPS Z2, Z7, Z7 \
	NEXTROW(Gated_DecayStride, R13) \
	NEXTROW(Gated_BetaStride, R14) \
	NEXTROW(Gated_VStride, R11)

// OUTPUT: the output of the token, from the sums in Z12 to Z15, is stored.
#define OUTPUT \
	VBROADCASTSS Gated_Scale(DI), Z3 \
	VADDPS Z14, Z12, Z0 \
	VADDPS Z15, Z13, Z1 \
	VMULPS Z3, Z0, Z0 \
	VMULPS Z3, Z1, Z1 \
	STATESTORE((R12), 64(R12))

// func gatedAVX512(a *Gated, from, tokens, col, width int)
// The rule for columns col to col+width, at most 32, and tokens from from. The block must have 32
// columns if KDim rows of 128 bytes exceed the scratch. Requires: AVX512F.
// K1, K2 lanes in use; Z0, Z1 row; Z5 a; Z6, Z7 d; Z8 to Z11 sums for u, even k then odd; Z12 to Z15
// sums for o.
TEXT ·gatedAVX512(SB), 0, $32856-40
	NO_LOCAL_POINTERS
	ARGS
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
	IFEVEN(token)
	FIRST((R10), 64(R10), (SI), 64(SI), (R9)(CX*4), Z8, Z9)

token:
	DELTA
	ZERO4(Z12, Z13, Z14, Z15)
	MOVQ BX, SI
	DECQ R15
	JEQ  last
	ZERO4(Z8, Z9, Z10, Z11)
	NEXTKEY
	PAIRS(midOdd)

mid2:
	UPDATE((SI), 64(SI), (R9)(CX*4))
	STORE((SI), 64(SI))
	READ((R8)(CX*4), Z12, Z13)
	READ((R10)(CX*4), Z8, Z9)
	UPDATE((SI)(AX*1), 64(SI)(AX*1), 4(R9)(CX*4))
	STORE((SI)(AX*1), 64(SI)(AX*1))
	READ(4(R8)(CX*4), Z14, Z15)
	READ(4(R10)(CX*4), Z10, Z11)
	PAIR(mid2)

midOdd:
	IFEVEN(midOut)
	UPDATE((SI), 64(SI), (R9)(CX*4))
	STORE((SI), 64(SI))
	READ((R8)(CX*4), Z12, Z13)
	READ((R10)(CX*4), Z8, Z9)

midOut:
	OUTPUT
	NEXTROW(Gated_QStride, R8)
	NEXTROW(Gated_OStride, R12)
	MOVQ R10, R9
	JMP  token

	// The last pass stores to the state, R10 with stride R11. The prefetch is for the next block of
	// columns.
last:
	STATE(R10, R11)
	PAIRS(lastOdd)

last2:
	UPDATE((SI), 64(SI), (R9)(CX*4))
	STATESTORE((R10), 64(R10))
	READ((R8)(CX*4), Z12, Z13)
	UPDATE((SI)(AX*1), 64(SI)(AX*1), 4(R9)(CX*4))
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
	UPDATE((SI), 64(SI), (R9)(CX*4))
	STATESTORE((R10), 64(R10))
	READ((R8)(CX*4), Z12, Z13)

lastOut:
	OUTPUT
	VZEROUPPER
	RET
