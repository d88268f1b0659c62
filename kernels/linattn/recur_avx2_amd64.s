//go:build !purego

#include "textflag.h"
#include "funcdata.h"
#include "go_asm.h"
#include "recur_amd64.h"

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

// MASKS: Y2, Y3 = the lanes in use; CX is clobbered.
#define MASKS \
	MOVQ width+32(FP), CX \
	NEGQ CX \
	LEAQ tailMask<>+64(SB), R10 \
	VMOVDQU (R10)(CX*4), Y2 \
	VMOVDQU 32(R10)(CX*4), Y3

// LOAD: m0, m1 = sixteen numbers at ptr, those in use; the masks are in Y2, Y3.
#define LOAD(ptr, m0, m1) \
	VMASKMOVPS (ptr), Y2, m0 \
	VMASKMOVPS 32(ptr), Y3, m1

// SAVE: the lanes in use of m0, m1 go to ptr.
#define SAVE(m0, m1, ptr) \
	VMASKMOVPS m0, Y2, (ptr) \
	VMASKMOVPS m1, Y3, 32(ptr)

// OUTPUT: the output of the token, from the sums in Y12 to Y15, is stored.
#define OUTPUT(narrow, next) \
	VBROADCASTSS Recurrence_Scale(DI), Y3 \
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
	MASKS \
	SAVE(Y0, Y1, R12) \
next:

#define ZERO(m) VXORPS m, m, m

// STORE: the updated row in Y0, Y1 is written.
#define STORE(to0, to1) \
	VMOVUPS Y0, to0 \
	VMOVUPS Y1, to1

// ADD: Y0, Y1 += k·v.
#define ADD(k) \
	VBROADCASTSS k, Y3 \
	VFMADD231PS Y3, Y6, Y0 \
	VFMADD231PS Y3, Y7, Y1

// READ: the product of the row in m0, m1 with q goes to sums p0, p1.
#define READ(q, m0, m1, p0, p1) \
	VBROADCASTSS q, Y3 \
	VFMADD231PS m0, Y3, p0 \
	VFMADD231PS m1, Y3, p1

// ROW: one row with the decays of its columns in Y4, Y5.
#define ROW(from0, from1, to0, to1, k, q, p0, p1) \
	VMULPS from0, Y4, Y0 \
	VMULPS from1, Y5, Y1 \
	ADD(k) \
	STORE(to0, to1) \
	READ(q, Y0, Y1, p0, p1)

// KEYROW: one row with a decay of its own.
#define KEYROW(from0, from1, to0, to1, a, k, q, p0, p1) \
	VBROADCASTSS a, Y2 \
	VMULPS from0, Y2, Y0 \
	VMULPS from1, Y2, Y1 \
	ADD(k) \
	STORE(to0, to1) \
	READ(q, Y0, Y1, p0, p1)

// READROW: the same, read before it decays.
#define READROW(from0, from1, to0, to1, a, k, q, p0, p1) \
	VMOVUPS from0, Y4 \
	VMOVUPS from1, Y5 \
	VBROADCASTSS a, Y2 \
	VMULPS Y4, Y2, Y0 \
	VMULPS Y5, Y2, Y1 \
	ADD(k) \
	STORE(to0, to1) \
	READ(q, Y4, Y5, p0, p1)

// PREFETCH: two rows of the next block of columns, where rows are written to the state.
#define PREFETCH \
	PREFETCHT0 64(R10) \
	PREFETCHT0 64(R10)(BX*1)

// BEGIN: what all tokens share; SI, AX = the copy.
#define BEGIN(ready) \
	ARGS \
	STATE(R10, BX) \
	COPY(6, ready)

// COPYIN: a block that is not whole goes to the copy at SI, AX.
#define COPYIN(row, done) \
	MASKS \
	STATE(R10, BX) \
	MOVQ Recurrence_KDim(DI), CX \
row: \
	DECQ CX \
	JLT  done \
	LOAD(R10, Y0, Y1) \
	STORE((SI), 32(SI)) \
	ADDQ BX, R10 \
	ADDQ AX, SI \
	JMP  row \
done: \
	MOVQ base-8(SP), SI

// COPYOUT: the copy at SI, AX goes back to the state.
#define COPYOUT(row, done) \
	MASKS \
	STATE(R10, BX) \
	MOVQ Recurrence_KDim(DI), CX \
row: \
	DECQ CX \
	JLT  done \
	VMOVUPS (SI), Y0 \
	VMOVUPS 32(SI), Y1 \
	SAVE(Y0, Y1, R10) \
	ADDQ BX, R10 \
	ADDQ AX, SI \
	JMP  row

// func recurColumnsAVX2(a *Recurrence, from, tokens, col, width int)
// The recurrence with one decay, or one for each column.
// Columns col to col+width, at most 16, and tokens from from. The block must have 16 columns if
// KDim rows of 64 bytes exceed the scratch. Requires: AVX2, FMA.
// Y0, Y1 row; Y4, Y5 decays of the columns; Y6, Y7 v; Y12 to Y15 sums for o, even k then odd.
TEXT ·recurColumnsAVX2(SB), 0, $32864-40
	NO_LOCAL_POINTERS
	BEGIN(ready)
	CMPQ width+32(FP), $16
	JEQ  whole
	COPYIN(copyIn, copied)
	JMP  token

whole:
	STATE(SI, AX)

token:
	MASKS
	LOAD(R11, Y6, Y7)
	VBROADCASTSS (R13), Y4
	VMOVAPS Y4, Y5
	CMPB Recurrence_Axis(DI), $const_PerValue
	JNE  decayed
	MOVQ col+24(FP), CX
	LEAQ (R13)(CX*4), R10
	LOAD(R10, Y4, Y5)

decayed:
	ZERO(Y12)
	ZERO(Y13)
	ZERO(Y14)
	ZERO(Y15)
	TARGET(16, rows)
	TESTQ DX, DX
	JEQ  odd

row2:
	ROW((SI), 32(SI), (R10), 32(R10), (R9)(CX*4), (R8)(CX*4), Y12, Y13)
	ROW((SI)(AX*1), 32(SI)(AX*1), (R10)(BX*1), 32(R10)(BX*1), 4(R9)(CX*4), 4(R8)(CX*4), Y14, Y15)
	PREFETCH
	PAIR(row2)

odd:
	IFEVEN(output)
	ROW((SI), 32(SI), (R10), 32(R10), (R9)(CX*4), (R8)(CX*4), Y12, Y13)

output:
	OUTPUT(narrow, next)
	NEXTTOKEN(token)
	CMPQ width+32(FP), $16
	JEQ  done
	COPYOUT(copyOut, done)

done:
	VZEROUPPER
	RET

// func recurRowsAVX2(a *Recurrence, from, tokens, col, width int)
// The recurrence with a decay for each row.
// Columns col to col+width, at most 16, and tokens from from. The block must have 16 columns if
// KDim rows of 64 bytes exceed the scratch. Requires: AVX2, FMA.
// Y0, Y1 row; Y6, Y7 v; Y12 to Y15 sums for o, even k then odd.
TEXT ·recurRowsAVX2(SB), 0, $32864-40
	NO_LOCAL_POINTERS
	BEGIN(ready)
	CMPQ width+32(FP), $16
	JEQ  whole
	COPYIN(copyIn, copied)
	JMP  token

whole:
	STATE(SI, AX)

token:
	MASKS
	LOAD(R11, Y6, Y7)
	ZERO(Y12)
	ZERO(Y13)
	ZERO(Y14)
	ZERO(Y15)
	TARGET(16, rows)
	TESTQ DX, DX
	JEQ  odd

row2:
	KEYROW((SI), 32(SI), (R10), 32(R10), (R13)(CX*4), (R9)(CX*4), (R8)(CX*4), Y12, Y13)
	KEYROW((SI)(AX*1), 32(SI)(AX*1), (R10)(BX*1), 32(R10)(BX*1), 4(R13)(CX*4), 4(R9)(CX*4), 4(R8)(CX*4), Y14, Y15)
	PREFETCH
	PAIR(row2)

odd:
	IFEVEN(output)
	KEYROW((SI), 32(SI), (R10), 32(R10), (R13)(CX*4), (R9)(CX*4), (R8)(CX*4), Y12, Y13)

output:
	OUTPUT(narrow, next)
	NEXTTOKEN(token)
	CMPQ width+32(FP), $16
	JEQ  done
	COPYOUT(copyOut, done)

done:
	VZEROUPPER
	RET

// func recurReadAVX2(a *Recurrence, from, tokens, col, width int)
// The recurrence with a decay for each row, read before it is updated.
// Columns col to col+width, at most 16, and tokens from from. The block must have 16 columns if
// KDim rows of 64 bytes exceed the scratch. Requires: AVX2, FMA.
// Y0, Y1 row; Y4, Y5 the row before; Y6, Y7 v; Y12 to Y15 sums for o, even k then odd.
TEXT ·recurReadAVX2(SB), 0, $32864-40
	NO_LOCAL_POINTERS
	BEGIN(ready)
	CMPQ width+32(FP), $16
	JEQ  whole
	COPYIN(copyIn, copied)
	JMP  token

whole:
	STATE(SI, AX)

token:
	MASKS
	LOAD(R11, Y6, Y7)
	ZERO(Y12)
	ZERO(Y13)
	ZERO(Y14)
	ZERO(Y15)
	TARGET(16, rows)
	TESTQ DX, DX
	JEQ  odd

row2:
	READROW((SI), 32(SI), (R10), 32(R10), (R13)(CX*4), (R9)(CX*4), (R8)(CX*4), Y12, Y13)
	READROW((SI)(AX*1), 32(SI)(AX*1), (R10)(BX*1), 32(R10)(BX*1), 4(R13)(CX*4), 4(R9)(CX*4), 4(R8)(CX*4), Y14, Y15)
	PREFETCH
	PAIR(row2)

odd:
	IFEVEN(output)
	READROW((SI), 32(SI), (R10), 32(R10), (R13)(CX*4), (R9)(CX*4), (R8)(CX*4), Y12, Y13)

output:
	OUTPUT(narrow, next)
	NEXTTOKEN(token)
	CMPQ width+32(FP), $16
	JEQ  done
	COPYOUT(copyOut, done)

done:
	VZEROUPPER
	RET
