//go:build !purego

#include "textflag.h"
#include "funcdata.h"
#include "go_asm.h"
#include "gated_amd64.h"

// tailMask, read from element 16-n, masks the first n of sixteen lanes.
DATA tailMask<>+0(SB)/8, $-1
DATA tailMask<>+8(SB)/8, $-1
DATA tailMask<>+16(SB)/8, $-1
DATA tailMask<>+24(SB)/8, $-1
DATA tailMask<>+32(SB)/8, $-1
DATA tailMask<>+40(SB)/8, $-1
DATA tailMask<>+48(SB)/8, $-1
DATA tailMask<>+56(SB)/8, $-1
GLOBL tailMask<>(SB), RODATA|NOPTR, $128

// FIRST: a row of the state goes to the scratch and its product with the key to sums u0, u1.
#define FIRST(from0, from1, to0, to1, key, u0, u1) \
	VMASKMOVPS from0, Y14, Y0 \
	VMASKMOVPS from1, Y15, Y1 \
	VBROADCASTSS key, Y4 \
	VMOVUPS Y0, to0 \
	VMOVUPS Y1, to1 \
	VFMADD231PS Y0, Y4, u0 \
	VFMADD231PS Y1, Y4, u1

// UPDATE: Y0, Y1 = a·S + k·d of one row, stored.
#define UPDATE(from0, from1, to0, to1, key) \
	VBROADCASTSS key, Y2 \
	VMULPS from0, Y5, Y0 \
	VMULPS from1, Y5, Y1 \
	VFMADD231PS Y2, Y6, Y0 \
	VFMADD231PS Y2, Y7, Y1 \
	VMOVUPS Y0, to0 \
	VMOVUPS Y1, to1

// READ: the product of the row in Y0, Y1 with x goes to sums p0, p1.
#define READ(x, p0, p1) \
	VBROADCASTSS x, Y3 \
	VFMADD231PS Y0, Y3, p0 \
	VFMADD231PS Y1, Y3, p1

#define ZERO4(a, b, c, d) \
	VXORPS a, a, a \
	VXORPS b, b, b \
	VXORPS c, c, c \
	VXORPS d, d, d

// MASKS: m0, m1 = the lanes in use; CX and SI are clobbered.
#define MASKS(m0, m1) \
	MOVQ width+32(FP), CX \
	NEGQ CX \
	LEAQ tailMask<>+64(SB), SI \
	VMOVDQU (SI)(CX*4), m0 \
	VMOVDQU 32(SI)(CX*4), m1

// DELTA: Y5 = a and Y6, Y7 = d of the next token from the sums in Y8 to Y11.
#define DELTA \
	MASKS(Y2, Y3) \
	VBROADCASTSS (R13), Y5 \
	VMASKMOVPS (R11), Y2, Y6 \
	VMASKMOVPS 32(R11), Y3, Y7 \
	VBROADCASTSS (R14), Y2 \
	VADDPS Y10, Y8, Y8 \
	VADDPS Y11, Y9, Y9 \
	VFNMADD231PS Y8, Y5, Y6 \
	VFNMADD231PS Y9, Y5, Y7 \
	VMULPS Y2, Y6, Y6 \
	VMULPS Y2, Y7, Y7 \
	NEXTROW(Gated_DecayStride, R13) \
	NEXTROW(Gated_BetaStride, R14) \
	NEXTROW(Gated_VStride, R11)

// OUTPUT: the output of the token, from the sums in Y12 to Y15, is stored; on to all if the block
// is whole, else to next with the masks in Y2, Y3.
#define OUTPUT(narrow, next) \
	VBROADCASTSS Gated_Scale(DI), Y3 \
	VADDPS Y14, Y12, Y0 \
	VADDPS Y15, Y13, Y1 \
	VMULPS Y3, Y0, Y0 \
	VMULPS Y3, Y1, Y1 \
	CMPQ width+32(FP), $16 \
	JLT  narrow \
	VMOVUPS Y0, (R12) \
	VMOVUPS Y1, 32(R12) \
	JMP  next \
narrow: \
	MASKS(Y2, Y3) \
	VMASKMOVPS Y0, Y2, (R12) \
	VMASKMOVPS Y1, Y3, 32(R12)

// func gatedAVX2(a *Gated, from, tokens, col, width int)
// The rule for columns col to col+width, at most 16, and tokens from from. The block must have 16
// columns if KDim rows of 64 bytes exceed the scratch. Requires: AVX2, FMA.
// Y0, Y1 row; Y5 a; Y6, Y7 d; Y8 to Y11 sums for u, even k then odd; Y12 to Y15 sums for o.
TEXT ·gatedAVX2(SB), 0, $32856-40
	NO_LOCAL_POINTERS
	ARGS
	MASKS(Y14, Y15)
	STATE(R10, BX)
	SCRATCH(6, ready)
	ZERO4(Y8, Y9, Y10, Y11)
	PAIRS(firstOdd)

first2:
	FIRST((R10), 32(R10), (SI), 32(SI), (R9)(CX*4), Y8, Y9)
	FIRST((R10)(BX*1), 32(R10)(BX*1), (SI)(AX*1), 32(SI)(AX*1), 4(R9)(CX*4), Y10, Y11)
	LEAQ (R10)(BX*2), R10
	PAIR(first2)

firstOdd:
	MOVQ base-8(SP), BX
	IFEVEN(token)
	FIRST((R10), 32(R10), (SI), 32(SI), (R9)(CX*4), Y8, Y9)

token:
	DELTA
	ZERO4(Y12, Y13, Y14, Y15)
	MOVQ BX, SI
	DECQ R15
	JEQ  last
	ZERO4(Y8, Y9, Y10, Y11)
	NEXTKEY
	PAIRS(midOdd)

mid2:
	UPDATE((SI), 32(SI), (SI), 32(SI), (R9)(CX*4))
	READ((R8)(CX*4), Y12, Y13)
	READ((R10)(CX*4), Y8, Y9)
	UPDATE((SI)(AX*1), 32(SI)(AX*1), (SI)(AX*1), 32(SI)(AX*1), 4(R9)(CX*4))
	READ(4(R8)(CX*4), Y14, Y15)
	READ(4(R10)(CX*4), Y10, Y11)
	PAIR(mid2)

midOdd:
	IFEVEN(midOut)
	UPDATE((SI), 32(SI), (SI), 32(SI), (R9)(CX*4))
	READ((R8)(CX*4), Y12, Y13)
	READ((R10)(CX*4), Y8, Y9)

midOut:
	OUTPUT(midNarrow, midNext)

midNext:
	NEXTROW(Gated_QStride, R8)
	NEXTROW(Gated_OStride, R12)
	MOVQ R10, R9
	JMP  token

	// The last pass stores to R10 with stride R11: to the state, or to the scratch if the block is
	// narrow. The prefetch is for the next block of columns.
last:
	MOVQ SI, R10
	MOVQ AX, R11
	CMPQ width+32(FP), $16
	JLT  lastRows
	STATE(R10, R11)

lastRows:
	PAIRS(lastOdd)

last2:
	UPDATE((SI), 32(SI), (R10), 32(R10), (R9)(CX*4))
	READ((R8)(CX*4), Y12, Y13)
	UPDATE((SI)(AX*1), 32(SI)(AX*1), (R10)(R11*1), 32(R10)(R11*1), 4(R9)(CX*4))
	READ(4(R8)(CX*4), Y14, Y15)
	PREFETCHT0 64(R10)
	PREFETCHT0 64(R10)(R11*1)
	LEAQ (R10)(R11*2), R10
	PAIR(last2)

lastOdd:
	IFEVEN(lastOut)
	UPDATE((SI), 32(SI), (R10), 32(R10), (R9)(CX*4))
	READ((R8)(CX*4), Y12, Y13)

lastOut:
	OUTPUT(lastNarrow, done)
	MOVQ Gated_KDim(DI), CX
	STATE(R10, R11)

copyRow:
	DECQ CX
	JLT  done
	VMOVUPS (BX), Y0
	VMOVUPS 32(BX), Y1
	VMASKMOVPS Y0, Y2, (R10)
	VMASKMOVPS Y1, Y3, 32(R10)
	ADDQ AX, BX
	ADDQ R11, R10
	JMP  copyRow

done:
	VZEROUPPER
	RET
