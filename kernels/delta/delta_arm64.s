//go:build !purego

#include "textflag.h"
#include "funcdata.h"
#include "go_asm.h"
#include "neon_arm64.h"
#include "delta_arm64.h"

// GATED: one row = a·S + k·d.
#define GATED \
	LOAD \
	DECAY \
	WRITE \
	SAVE

#define GATEDMID(o, u) GATED; QUERY(o); PROBE(u)
#define GATEDLAST(o) GATED; QUERY(o)

// func gatedNEON(a *Gated, from, tokens, col int)
// The gated rule for columns col to col+16 and tokens from from. Requires: NEON.
TEXT ·gatedNEON(SB), 0, $32832-32
	NO_LOCAL_POINTERS
	BEGIN
	ROWPTR(Gated_Beta, Gated_BetaStride, R6)
	MOVD R2, R15
	MOVD R15, R19
	ZERO8(8)
	ROWS(FIRST(8), FIRST(12), first2, firstLast, token)

	// d = β·(v - a·u)
	VALUE
	U
	FMOVS (R5), F19
	NEXTROW(Gated_DecayStride, R5)
	fmlse(0, 19, 8, 4)
	fmlse(0, 19, 9, 5)
	fmlse(0, 19, 10, 6)
	fmlse(0, 19, 11, 7)
	BETA
	TOKEN(last)
	NEXTROW(Gated_KStride, R15)
	MOVD R15, R19
	ROWS(GATEDMID(24, 8), GATEDMID(28, 12), mid2, midLast, midDone)
	OUTPUT
	NEXT
	B    token

last:
	STATE(R10, R11)
	ROWS(GATEDLAST(24), GATEDLAST(28), last2, lastLast, done)
	OUTPUT
	RET

// DIAGONAL: one row = a·S + k·d with its own a.
#define DIAGONAL \
	LOAD \
	FMOVS.P 4(R20), F19 \
	DECAY \
	WRITE \
	SAVE

#define DIAGONALMID(o, u) DIAGONAL; QUERY(o); PROBE(u)
#define DIAGONALLAST(o) DIAGONAL; QUERY(o)

// func diagonalNEON(a *Diagonal, from, tokens, col int)
// The delta rule with a decay for each row, for columns col to col+16 and tokens from from.
// Requires: NEON.
TEXT ·diagonalNEON(SB), 0, $32832-32
	NO_LOCAL_POINTERS
	BEGIN
	ROWPTR(Gated_Beta, Gated_BetaStride, R6)
	ROWPTR(Diagonal_P, Diagonal_PStride, R15)
	MOVD R15, R19
	ZERO8(8)
	ROWS(FIRST(8), FIRST(12), first2, firstLast, token)

	// d = β·(v - u)
	VALUE
	U
	fsub(8, 4, 4)
	fsub(9, 5, 5)
	fsub(10, 6, 6)
	fsub(11, 7, 7)
	BETA
	TOKEN(last)
	NEXTROW(Diagonal_PStride, R15)
	MOVD R15, R19
	ROWS(DIAGONALMID(24, 8), DIAGONALMID(28, 12), mid2, midLast, midDone)
	OUTPUT
	NEXT
	NEXTROW(Gated_DecayStride, R5)
	B    token

last:
	STATE(R10, R11)
	ROWS(DIAGONALLAST(24), DIAGONALLAST(28), last2, lastLast, done)
	OUTPUT
	RET

// LOWRANK: one row = a·S - w·u + k·v.
#define LOWRANK \
	LOAD \
	FMOVS.P 4(R20), F19 \
	DECAY \
	FMOVS.P 4(R21), F19 \
	fmlse(0, 19, 20, 0) \
	fmlse(0, 19, 21, 1) \
	fmlse(0, 19, 22, 2) \
	fmlse(0, 19, 23, 3) \
	WRITE \
	SAVE

#define LOWRANKMID(o, u) LOWRANK; QUERY(o); PROBE(u)
#define LOWRANKLAST(o) LOWRANK; QUERY(o)

// func lowRankNEON(a *Diagonal, from, tokens, col int)
// The recurrence of a diagonal and a low rank, for columns col to col+16 and tokens from from.
// Requires: NEON.
TEXT ·lowRankNEON(SB), 0, $32832-32
	NO_LOCAL_POINTERS
	BEGIN
	ROWPTR(Diagonal_W, Diagonal_WStride, R6)
	ROWPTR(Diagonal_P, Diagonal_PStride, R15)
	MOVD R15, R19
	ZERO8(8)
	ROWS(FIRST(8), FIRST(12), first2, firstLast, token)

	VALUE
	U
	mov(8, 20)
	mov(9, 21)
	mov(10, 22)
	mov(11, 23)
	TOKEN(last)
	NEXTROW(Diagonal_PStride, R15)
	MOVD R15, R19
	ROWS(LOWRANKMID(24, 8), LOWRANKMID(28, 12), mid2, midLast, midDone)
	OUTPUT
	NEXT
	NEXTROW(Gated_DecayStride, R5)
	NEXTROW(Diagonal_WStride, R6)
	B    token

last:
	STATE(R10, R11)
	ROWS(LOWRANKLAST(24), LOWRANKLAST(28), last2, lastLast, done)
	OUTPUT
	RET
