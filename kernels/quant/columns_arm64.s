//go:build !purego

#include "textflag.h"

// ROW: 16 bytes of the row at off in the list, register v.
#define ROW(off, v) \
	MOVD off(R1), R4 \
	ADD  R3, R4, R4 \
	VLD1 (R4), [v.B16]

// MIX: the lower halves of rows a and b interleaved to x, the upper ones to y.
#define MIX(a, b, x, y) \
	VZIP1 b.H8, a.H8, x.H8 \
	VZIP2 b.H8, a.H8, y.H8

// EIGHT: eight columns of the eight rows from off in the list on, to V0 to V7: rows that lie four, two and
// one apart are interleaved.
#define EIGHT(off) \
	ROW(off, V0) \
	ROW(off+8, V1) \
	ROW(off+16, V2) \
	ROW(off+24, V3) \
	ROW(off+32, V4) \
	ROW(off+40, V5) \
	ROW(off+48, V6) \
	ROW(off+56, V7) \
	MIX(V0, V4, V16, V17) \
	MIX(V1, V5, V18, V19) \
	MIX(V2, V6, V20, V21) \
	MIX(V3, V7, V22, V23) \
	MIX(V16, V20, V0, V1) \
	MIX(V17, V21, V2, V3) \
	MIX(V18, V22, V4, V5) \
	MIX(V19, V23, V6, V7) \
	MIX(V0, V4, V16, V17) \
	MIX(V1, V5, V18, V19) \
	MIX(V2, V6, V20, V21) \
	MIX(V3, V7, V22, V23)

// PAIRS: the columns in V16 to V23, half a panel's row each, to R5 and on.
#define PAIRS \
	VST1.P [V16.B16], (R5)(R6) \
	VST1.P [V17.B16], (R5)(R6) \
	VST1.P [V18.B16], (R5)(R6) \
	VST1.P [V19.B16], (R5)(R6) \
	VST1.P [V20.B16], (R5)(R6) \
	VST1.P [V21.B16], (R5)(R6) \
	VST1.P [V22.B16], (R5)(R6) \
	VST1.P [V23.B16], (R5)(R6)

// func columns16NEON(dst *uint16, rows *[Rows]*byte, octets int)
// Requires: NEON. V0 to V7 rows, then V16 to V23 columns; R3 is the offset in the rows.
TEXT ·columns16NEON(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD rows+8(FP), R1
	MOVD octets+16(FP), R2
	MOVD $0, R3
	MOVD $32, R6

loop:
	EIGHT(0)
	MOVD R0, R5
	PAIRS
	EIGHT(64)
	ADD  $16, R0, R5
	PAIRS
	ADD  $256, R0, R0
	ADD  $16, R3, R3
	SUBS $1, R2, R2
	BNE  loop
	RET

// FOUR: four columns of the four rows from off in the list on, to V16 to V19.
#define FOUR(off) \
	ROW(off, V0) \
	ROW(off+8, V1) \
	ROW(off+16, V2) \
	ROW(off+24, V3) \
	VZIP1 V2.S4, V0.S4, V4.S4 \
	VZIP2 V2.S4, V0.S4, V5.S4 \
	VZIP1 V3.S4, V1.S4, V6.S4 \
	VZIP2 V3.S4, V1.S4, V7.S4 \
	VZIP1 V6.S4, V4.S4, V16.S4 \
	VZIP2 V6.S4, V4.S4, V17.S4 \
	VZIP1 V7.S4, V5.S4, V18.S4 \
	VZIP2 V7.S4, V5.S4, V19.S4

// QUARTERS: the columns in V16 to V19, a quarter of a panel's row each, to R5 and on.
#define QUARTERS \
	VST1.P [V16.B16], (R5)(R6) \
	VST1.P [V17.B16], (R5)(R6) \
	VST1.P [V18.B16], (R5)(R6) \
	VST1.P [V19.B16], (R5)(R6)

// func columns32NEON(dst *uint32, rows *[Rows]*byte, quads int)
// Requires: NEON. V0 to V3 rows, then V16 to V19 columns; R3 is the offset in the rows.
TEXT ·columns32NEON(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD rows+8(FP), R1
	MOVD quads+16(FP), R2
	MOVD $0, R3
	MOVD $64, R6

loop:
	FOUR(0)
	MOVD R0, R5
	QUARTERS
	FOUR(32)
	ADD  $16, R0, R5
	QUARTERS
	FOUR(64)
	ADD  $32, R0, R5
	QUARTERS
	FOUR(96)
	ADD  $48, R0, R5
	QUARTERS
	ADD  $256, R0, R0
	ADD  $16, R3, R3
	SUBS $1, R2, R2
	BNE  loop
	RET
