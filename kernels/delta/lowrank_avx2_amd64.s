//go:build !purego

#include "textflag.h"
#include "funcdata.h"
#include "go_asm.h"
#include "gated_amd64.h"
#include "diagonal_amd64.h"
#include "diagonal_avx2_amd64.h"

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

// func lowRankAVX2(a *Diagonal, from, tokens, col, width int)
// The recurrence of a diagonal and a low rank. Columns col to col+width, at most 16, and tokens from
// from. The block must have 16 columns if KDim rows of 64 bytes exceed the scratch. Requires: AVX2, FMA.
// Y0, Y1 row; Y4, Y5 u; Y6, Y7 v; Y8 to Y11 sums for u, even k then odd; Y12 to Y15 sums for o.
TEXT ·lowRankAVX2(SB), 0, $32856-40
	NO_LOCAL_POINTERS
	LOWRANK
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
	IFEVEN(firstKey)
	FIRST((R10), 32(R10), (SI), 32(SI), (R9)(CX*4), Y8, Y9)

firstKey:
	MOVQ key-16(SP), R9

token:
	SUMS
	ZERO4(Y12, Y13, Y14, Y15)
	MOVQ BX, SI
	DECQ R15
	JEQ  last
	ZERO4(Y8, Y9, Y10, Y11)
	NEXTPROBE
	PAIRS(midOdd)

mid2:
	LOWRANKROW((SI), 32(SI), (SI), 32(SI), (R13)(CX*4), (R14)(CX*4), (R9)(CX*4))
	READ((R8)(CX*4), Y12, Y13)
	READ((R10)(CX*4), Y8, Y9)
	LOWRANKROW((SI)(AX*1), 32(SI)(AX*1), (SI)(AX*1), 32(SI)(AX*1), 4(R13)(CX*4), 4(R14)(CX*4), 4(R9)(CX*4))
	READ(4(R8)(CX*4), Y14, Y15)
	READ(4(R10)(CX*4), Y10, Y11)
	PAIR(mid2)

midOdd:
	IFEVEN(midOut)
	LOWRANKROW((SI), 32(SI), (SI), 32(SI), (R13)(CX*4), (R14)(CX*4), (R9)(CX*4))
	READ((R8)(CX*4), Y12, Y13)
	READ((R10)(CX*4), Y8, Y9)

midOut:
	OUTPUT(midNarrow, midNext)

midNext:
	NEXTTOKEN
	NEXTROW(Diagonal_WStride, R14)
	JMP  token

	// The last pass stores to the state, or if the block is narrow to the scratch: R10, stride R11.
last:
	MOVQ SI, R10
	MOVQ AX, R11
	CMPQ width+32(FP), $16
	JLT  lastRows
	STATE(R10, R11)

lastRows:
	PAIRS(lastOdd)

last2:
	LOWRANKROW((SI), 32(SI), (R10), 32(R10), (R13)(CX*4), (R14)(CX*4), (R9)(CX*4))
	READ((R8)(CX*4), Y12, Y13)
	LOWRANKROW((SI)(AX*1), 32(SI)(AX*1), (R10)(R11*1), 32(R10)(R11*1), 4(R13)(CX*4), 4(R14)(CX*4), 4(R9)(CX*4))
	READ(4(R8)(CX*4), Y14, Y15)
	PREFETCH2
	LEAQ (R10)(R11*2), R10
	PAIR(last2)

lastOdd:
	IFEVEN(lastOut)
	LOWRANKROW((SI), 32(SI), (R10), 32(R10), (R13)(CX*4), (R14)(CX*4), (R9)(CX*4))
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
