// What the implementations of the rules with a decay for each key share, beside gated_amd64.h.
//
// R10 is the next token's probe; R13 the row of decays; R14 β of DiagonalRule or the row of W of
// LowRankRule. The current probe's address is kept for the one after it.

// DIAGONAL: the registers from the arguments. R9 is the first token's probe, its key is kept.
#define DIAGONAL \
	ARGS \
	MOVQ R9, key-16(SP) \
	ROWPTR(Diagonal_P, Diagonal_PStride, R9) \
	MOVQ R9, probe-24(SP)

// LOWRANK: the same for LowRankRule.
#define LOWRANK \
	DIAGONAL \
	ROWPTR(Diagonal_W, Diagonal_WStride, R14)

// NEXTPROBE: R10 = the next token's probe.
#define NEXTPROBE \
	MOVQ probe-24(SP), R10 \
	NEXTROW(Diagonal_PStride, R10) \
	MOVQ R10, probe-24(SP)

// NEXTTOKEN: q, k, o and decay move on by one row.
#define NEXTTOKEN \
	NEXTROW(Gated_QStride, R8) \
	NEXTROW(Gated_OStride, R12) \
	NEXTROW(Gated_KStride, R9) \
	NEXTROW(Gated_DecayStride, R13)
