//go:build !purego

#include "textflag.h"
#include "funcdata.h"
#include "go_asm.h"
#include "recur_amd64.h"

// MASKS: K1, K2 = the lanes in use; CX and R10 are clobbered.
#define MASKS \
	MOVQ width+32(FP), CX \
	MOVL $1, R10 \
	SHLQ CX, R10 \
	DECQ R10 \
	KMOVW R10, K1 \
	SHRQ $16, R10 \
	KMOVW R10, K2

// LOAD: m0, m1 = thirty-two numbers at ptr, those in use.
#define LOAD(ptr, m0, m1) \
	VMOVUPS.Z (ptr), K1, m0 \
	VMOVUPS.Z 64(ptr), K2, m1

// SAVE: the lanes in use of m0, m1 go to ptr.
#define SAVE(m0, m1, ptr) \
	VMOVUPS m0, K1, (ptr) \
	VMOVUPS m1, K2, 64(ptr)

// OUTPUT: the output of the token, from the sums in Z12 to Z15, is stored.
#define OUTPUT \
	VBROADCASTSS Recurrence_Scale(DI), Z3 \
	VADDPS Z14, Z12, Z0 \
	VADDPS Z15, Z13, Z1 \
	VMULPS Z3, Z0, Z0 \
	VMULPS Z3, Z1, Z1 \
	SAVE(Z0, Z1, R12)

#define ZERO(m) VPXORQ m, m, m

// STORE: the updated row in Z0, Z1 is written.
#define STORE(to0, to1) \
	VMOVUPS Z0, to0 \
	VMOVUPS Z1, to1

// ADD: Z0, Z1 += k·v.
#define ADD(k) \
	VBROADCASTSS k, Z3 \
	VFMADD231PS Z3, Z6, Z0 \
	VFMADD231PS Z3, Z7, Z1

// READ: the product of the row in m0, m1 with q goes to sums p0, p1.
#define READ(q, m0, m1, p0, p1) \
	VBROADCASTSS q, Z3 \
	VFMADD231PS m0, Z3, p0 \
	VFMADD231PS m1, Z3, p1

// ROW: one row with the decays of its columns in Z4, Z5.
#define ROW(from0, from1, to0, to1, k, q, p0, p1) \
	VMULPS from0, Z4, Z0 \
	VMULPS from1, Z5, Z1 \
	ADD(k) \
	STORE(to0, to1) \
	READ(q, Z0, Z1, p0, p1)

// KEYROW: one row with a decay of its own.
#define KEYROW(from0, from1, to0, to1, a, k, q, p0, p1) \
	VBROADCASTSS a, Z2 \
	VMULPS from0, Z2, Z0 \
	VMULPS from1, Z2, Z1 \
	ADD(k) \
	STORE(to0, to1) \
	READ(q, Z0, Z1, p0, p1)

// READROW: the same, read before it decays.
#define READROW(from0, from1, to0, to1, a, k, q, p0, p1) \
	VMOVUPS from0, Z4 \
	VMOVUPS from1, Z5 \
	VBROADCASTSS a, Z2 \
	VMULPS Z4, Z2, Z0 \
	VMULPS Z5, Z2, Z1 \
	ADD(k) \
	STORE(to0, to1) \
	READ(q, Z4, Z5, p0, p1)

// PREFETCH: two rows of the next block of columns, where rows are written to the state.
#define PREFETCH \
	PREFETCHT0 128(R10) \
	PREFETCHT0 128(R10)(BX*1) \
	PREFETCHT0 192(R10) \
	PREFETCHT0 192(R10)(BX*1)

// BEGIN: what all tokens share; SI, AX = the copy.
#define BEGIN(ready) \
	ARGS \
	MASKS \
	STATE(R10, BX) \
	COPY(7, ready)

// COPYIN: a block that is not whole goes to the copy at SI, AX.
#define COPYIN(row, done) \
	STATE(R10, BX) \
	MOVQ Recurrence_KDim(DI), CX \
row: \
	DECQ CX \
	JLT  done \
	LOAD(R10, Z0, Z1) \
	STORE((SI), 64(SI)) \
	ADDQ BX, R10 \
	ADDQ AX, SI \
	JMP  row \
done: \
	MOVQ base-8(SP), SI

// COPYOUT: the copy at SI, AX goes back to the state.
#define COPYOUT(row, done) \
	STATE(R10, BX) \
	MOVQ Recurrence_KDim(DI), CX \
row: \
	DECQ CX \
	JLT  done \
	VMOVUPS (SI), Z0 \
	VMOVUPS 64(SI), Z1 \
	SAVE(Z0, Z1, R10) \
	ADDQ BX, R10 \
	ADDQ AX, SI \
	JMP  row

// func recurColumnsAVX512(a *Recurrence, from, tokens, col, width int)
// The recurrence with one decay, or one for each column.
// Columns col to col+width, at most 32, and tokens from from. The block must have 32 columns if
// KDim rows of 128 bytes exceed the scratch. Requires: AVX512F.
// K1, K2 lanes in use; Z0, Z1 row; Z4, Z5 decays of the columns; Z6, Z7 v; Z12 to Z15 sums for o, even k then odd.
TEXT ·recurColumnsAVX512(SB), 0, $32864-40
	NO_LOCAL_POINTERS
	BEGIN(ready)
	CMPQ width+32(FP), $32
	JEQ  whole
	COPYIN(copyIn, copied)
	JMP  token

whole:
	STATE(SI, AX)

token:
	LOAD(R11, Z6, Z7)
	VBROADCASTSS (R13), Z4
	VMOVAPS Z4, Z5
	CMPB Recurrence_Axis(DI), $const_PerValue
	JNE  decayed
	MOVQ col+24(FP), CX
	LEAQ (R13)(CX*4), R10
	LOAD(R10, Z4, Z5)

decayed:
	ZERO(Z12)
	ZERO(Z13)
	ZERO(Z14)
	ZERO(Z15)
	TARGET(32, rows)
	TESTQ DX, DX
	JEQ  odd

row2:
	ROW((SI), 64(SI), (R10), 64(R10), (R9)(CX*4), (R8)(CX*4), Z12, Z13)
	ROW((SI)(AX*1), 64(SI)(AX*1), (R10)(BX*1), 64(R10)(BX*1), 4(R9)(CX*4), 4(R8)(CX*4), Z14, Z15)
	PREFETCH
	PAIR(row2)

odd:
	IFEVEN(output)
	ROW((SI), 64(SI), (R10), 64(R10), (R9)(CX*4), (R8)(CX*4), Z12, Z13)

output:
	OUTPUT
	NEXTTOKEN(token)
	CMPQ width+32(FP), $32
	JEQ  done
	COPYOUT(copyOut, done)

done:
	VZEROUPPER
	RET

// func recurRowsAVX512(a *Recurrence, from, tokens, col, width int)
// The recurrence with a decay for each row.
// Columns col to col+width, at most 32, and tokens from from. The block must have 32 columns if
// KDim rows of 128 bytes exceed the scratch. Requires: AVX512F.
// K1, K2 lanes in use; Z0, Z1 row; Z6, Z7 v; Z12 to Z15 sums for o, even k then odd.
TEXT ·recurRowsAVX512(SB), 0, $32864-40
	NO_LOCAL_POINTERS
	BEGIN(ready)
	CMPQ width+32(FP), $32
	JEQ  whole
	COPYIN(copyIn, copied)
	JMP  token

whole:
	STATE(SI, AX)

token:
	LOAD(R11, Z6, Z7)
	ZERO(Z12)
	ZERO(Z13)
	ZERO(Z14)
	ZERO(Z15)
	TARGET(32, rows)
	TESTQ DX, DX
	JEQ  odd

row2:
	KEYROW((SI), 64(SI), (R10), 64(R10), (R13)(CX*4), (R9)(CX*4), (R8)(CX*4), Z12, Z13)
	KEYROW((SI)(AX*1), 64(SI)(AX*1), (R10)(BX*1), 64(R10)(BX*1), 4(R13)(CX*4), 4(R9)(CX*4), 4(R8)(CX*4), Z14, Z15)
	PREFETCH
	PAIR(row2)

odd:
	IFEVEN(output)
	KEYROW((SI), 64(SI), (R10), 64(R10), (R13)(CX*4), (R9)(CX*4), (R8)(CX*4), Z12, Z13)

output:
	OUTPUT
	NEXTTOKEN(token)
	CMPQ width+32(FP), $32
	JEQ  done
	COPYOUT(copyOut, done)

done:
	VZEROUPPER
	RET

// func recurReadAVX512(a *Recurrence, from, tokens, col, width int)
// The recurrence with a decay for each row, read before it is updated.
// Columns col to col+width, at most 32, and tokens from from. The block must have 32 columns if
// KDim rows of 128 bytes exceed the scratch. Requires: AVX512F.
// K1, K2 lanes in use; Z0, Z1 row; Z4, Z5 the row before; Z6, Z7 v; Z12 to Z15 sums for o, even k then odd.
TEXT ·recurReadAVX512(SB), 0, $32864-40
	NO_LOCAL_POINTERS
	BEGIN(ready)
	CMPQ width+32(FP), $32
	JEQ  whole
	COPYIN(copyIn, copied)
	JMP  token

whole:
	STATE(SI, AX)

token:
	LOAD(R11, Z6, Z7)
	ZERO(Z12)
	ZERO(Z13)
	ZERO(Z14)
	ZERO(Z15)
	TARGET(32, rows)
	TESTQ DX, DX
	JEQ  odd

row2:
	READROW((SI), 64(SI), (R10), 64(R10), (R13)(CX*4), (R9)(CX*4), (R8)(CX*4), Z12, Z13)
	READROW((SI)(AX*1), 64(SI)(AX*1), (R10)(BX*1), 64(R10)(BX*1), 4(R13)(CX*4), 4(R9)(CX*4), 4(R8)(CX*4), Z14, Z15)
	PREFETCH
	PAIR(row2)

odd:
	IFEVEN(output)
	READROW((SI), 64(SI), (R10), 64(R10), (R13)(CX*4), (R9)(CX*4), (R8)(CX*4), Z12, Z13)

output:
	OUTPUT
	NEXTTOKEN(token)
	CMPQ width+32(FP), $32
	JEQ  done
	COPYOUT(copyOut, done)

done:
	VZEROUPPER
	RET
