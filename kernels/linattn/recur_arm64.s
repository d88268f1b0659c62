//go:build !purego

#include "textflag.h"
#include "funcdata.h"
#include "go_asm.h"
#include "neon_arm64.h"

// A call runs some tokens over one block of sixteen columns. A token's pass over the state reads a
// row, updates it and writes it. The first token reads the state and the last one writes it, the
// others work on a contiguous copy: the rows of a wide state, a power of two apart, would evict each
// other from L1.
//
// R0 a; R1 q, R2 k, R3 v, R4 o, R5 decay of the token; R6 tokens left; R7 row read, R8 bytes to the
// next; R9 row written, R10 bytes to the next; R11, R12 the copy and its rows' bytes; R13 rows left;
// R14 k, R15 q and R16 decay of the row; R17 bytes of the columns before the block.
// V0 to V3 row; V4 to V7 v; V8 to V11 the row before; V16 to V19 decays of the columns; V20 k, V21 q,
// V22 decay of the row; V24 to V31 sums for o, even k then odd.

// ROWPTR: reg = address of row R13 of a matrix; R12 is clobbered.
#define ROWPTR(base, stride, reg) \
	MOVD stride(R0), R12 \
	MUL  R13, R12, R12 \
	MOVD base(R0), reg \
	ADD  R12<<2, reg, reg

// NEXTROW: reg moves on by one row; R13 is clobbered.
#define NEXTROW(stride, reg) \
	MOVD stride(R0), R13 \
	ADD  R13<<2, reg, reg

// STATE: ptr = first row of the block in the state, stride = bytes from row to row.
#define STATE(ptr, stride) \
	MOVD Recurrence_S(R0), ptr \
	ADD  R17, ptr, ptr \
	MOVD Recurrence_SStride(R0), stride \
	LSL  $2, stride, stride

// BEGIN: the registers from the arguments. The copy is the state itself if KDim rows do not fit.
#define BEGIN \
	MOVD a+0(FP), R0 \
	MOVD from+8(FP), R13 \
	MOVD tokens+16(FP), R6 \
	MOVD col+24(FP), R17 \
	LSL  $2, R17, R17 \
	ROWPTR(Recurrence_Q, Recurrence_QStride, R1) \
	ROWPTR(Recurrence_K, Recurrence_KStride, R2) \
	ROWPTR(Recurrence_V, Recurrence_VStride, R3) \
	ROWPTR(Recurrence_O, Recurrence_OStride, R4) \
	ROWPTR(Recurrence_Decay, Recurrence_DecayStride, R5) \
	ADD  R17, R3, R3 \
	ADD  R17, R4, R4 \
	STATE(R7, R8) \
	MOVD R7, R11 \
	MOVD R8, R12 \
	MOVD Recurrence_KDim(R0), R13 \
	CMP  $const_recurRows16, R13 \
	BGT  token \
	MOVD $scratch-32832(SP), R11 \
	ADD  $63, R11, R11 \
	AND  $~63, R11, R11 \
	MOVD $64, R12

// PASS: the token's rows, even and odd k in turns.
#define PASS(even, odd) \
	VLD1 (R3), [V4.S4, V5.S4, V6.S4, V7.S4] \
	zero(24) \
	zero(25) \
	zero(26) \
	zero(27) \
	zero(28) \
	zero(29) \
	zero(30) \
	zero(31) \
	MOVD R11, R9 \
	MOVD R12, R10 \
	SUBS $1, R6, R6 \
	BNE  rows \
	STATE(R9, R10) \
rows: \
	MOVD R2, R14 \
	MOVD R1, R15 \
	MOVD R5, R16 \
	MOVD Recurrence_KDim(R0), R13 \
	SUBS $2, R13, R13 \
	BLT  last \
row2: \
	even \
	odd \
	SUBS $2, R13, R13 \
	BGE  row2 \
last: \
	ADDS $2, R13, R13 \
	BEQ  output \
	even \
output:

// END: the token's output, and on to the next one.
#define END \
	FMOVS Recurrence_Scale(R0), F20 \
	fadd(28, 24, 24) \
	fadd(29, 25, 25) \
	fadd(30, 26, 26) \
	fadd(31, 27, 27) \
	fmule(0, 20, 24, 24) \
	fmule(0, 20, 25, 25) \
	fmule(0, 20, 26, 26) \
	fmule(0, 20, 27, 27) \
	VST1 [V24.S4, V25.S4, V26.S4, V27.S4], (R4) \
	NEXTROW(Recurrence_QStride, R1) \
	NEXTROW(Recurrence_KStride, R2) \
	NEXTROW(Recurrence_VStride, R3) \
	NEXTROW(Recurrence_OStride, R4) \
	NEXTROW(Recurrence_DecayStride, R5) \
	MOVD R11, R7 \
	MOVD R12, R8 \
	CBNZ R6, token

// FETCH: the row, its k and its q.
#define FETCH \
	VLD1 (R7), [V0.S4, V1.S4, V2.S4, V3.S4] \
	ADD  R8, R7, R7 \
	FMOVS.P 4(R14), F20 \
	FMOVS.P 4(R15), F21

// KEEP: the row as it is before the update.
#define KEEP \
	mov(0, 8) \
	mov(1, 9) \
	mov(2, 10) \
	mov(3, 11)

// COLUMNS: the row times the decays of its columns. KEY: times its own.
#define COLUMNS \
	fmul(16, 0, 0) \
	fmul(17, 1, 1) \
	fmul(18, 2, 2) \
	fmul(19, 3, 3)

#define KEY \
	FMOVS.P 4(R16), F22 \
	fmule(0, 22, 0, 0) \
	fmule(0, 22, 1, 1) \
	fmule(0, 22, 2, 2) \
	fmule(0, 22, 3, 3)

// GATHER: the row += k·v, stored.
#define GATHER \
	fmlae(0, 20, 4, 0) \
	fmlae(0, 20, 5, 1) \
	fmlae(0, 20, 6, 2) \
	fmlae(0, 20, 7, 3) \
	VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R9) \
	ADD  R10, R9, R9

// READ: the product of the row in registers r up with q goes to the sums from p on.
#define READ(r, p) \
	fmlae(0, 21, r, p) \
	fmlae(0, 21, r+1, p+1) \
	fmlae(0, 21, r+2, p+2) \
	fmlae(0, 21, r+3, p+3)

#define COLUMNSROW(p) FETCH; COLUMNS; GATHER; READ(0, p)
#define KEYROW(p) FETCH; KEY; GATHER; READ(0, p)
#define READROW(p) FETCH; KEEP; KEY; GATHER; READ(8, p)

// func recurColumnsNEON(a *Recurrence, from, tokens, col int)
// The recurrence with one decay, or one for each column. Columns col to col+16 and tokens from
// from. Requires: NEON.
TEXT ·recurColumnsNEON(SB), 0, $32832-32
	NO_LOCAL_POINTERS
	BEGIN

token:
	MOVBU Recurrence_Axis(R0), R13
	CMP   $const_PerValue, R13
	BEQ   decays
	FMOVS (R5), F16
	dup(0, 16, 16)
	mov(16, 17)
	mov(16, 18)
	mov(16, 19)
	B     decayed

decays:
	ADD  R17, R5, R13
	VLD1 (R13), [V16.S4, V17.S4, V18.S4, V19.S4]

decayed:
	PASS(COLUMNSROW(24), COLUMNSROW(28))
	END
	RET

// func recurRowsNEON(a *Recurrence, from, tokens, col int)
// The recurrence with a decay for each row. Columns col to col+16 and tokens from from. Requires: NEON.
TEXT ·recurRowsNEON(SB), 0, $32832-32
	NO_LOCAL_POINTERS
	BEGIN

token:
	PASS(KEYROW(24), KEYROW(28))
	END
	RET

// func recurReadNEON(a *Recurrence, from, tokens, col int)
// The recurrence with a decay for each row, read before it is updated. Columns col to col+16 and
// tokens from from. Requires: NEON.
TEXT ·recurReadNEON(SB), 0, $32832-32
	NO_LOCAL_POINTERS
	BEGIN

token:
	PASS(READROW(24), READROW(28))
	END
	RET
