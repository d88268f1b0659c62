// What the three rules share.
//
// A call runs some tokens over one block of sixteen columns. Token t's pass over the state updates it,
// reads it at the query and, for the sums u of token t+1, at the next probe, so that a row is loaded
// and stored once a token. A first pass copies the block to contiguous scratch, the last token's stores
// it back: the rows of a wide state, a power of two apart, would evict each other from L1.
//
// R0 a; R1 q, R2 k, R3 v, R4 o, R5 decay of the token; R6 its β, or its row of W; R7 tokens left; R8
// row read, R9 bytes to the next; R10 row written, R11 bytes to the next; R12 rows left; R13, R14 the
// scratch and its rows' bytes; R15 the next probe; R16 k, R17 q, R19 probe, R20 decay and R21 w of the
// row; R22, R23 scratch.
// V0 to V3 row; V4 to V7 d, or v; V8 to V15 sums for u, even k then odd; V16 k, V17 q, V18 probe, V19
// decay, then w; V20 to V23 u of LowRankRule; V24 to V31 sums for o, even k then odd.

// ROWPTR: reg = address of row R12 of a matrix.
#define ROWPTR(base, stride, reg) \
	MOVD stride(R0), R22 \
	MUL  R12, R22, R22 \
	MOVD base(R0), reg \
	ADD  R22<<2, reg, reg

// NEXTROW: reg moves on by one row.
#define NEXTROW(stride, reg) \
	MOVD stride(R0), R22 \
	ADD  R22<<2, reg, reg

// STATE: ptr = first row of the block in the state, stride = bytes from row to row.
#define STATE(ptr, stride) \
	MOVD col+24(FP), R22 \
	MOVD Gated_S(R0), ptr \
	ADD  R22<<2, ptr, ptr \
	MOVD Gated_SStride(R0), stride \
	LSL  $2, stride, stride

// BEGIN: the registers from the arguments. The scratch is the state itself if KDim rows do not fit.
#define BEGIN \
	MOVD a+0(FP), R0 \
	MOVD from+8(FP), R12 \
	MOVD tokens+16(FP), R7 \
	ROWPTR(Gated_Q, Gated_QStride, R1) \
	ROWPTR(Gated_K, Gated_KStride, R2) \
	ROWPTR(Gated_V, Gated_VStride, R3) \
	ROWPTR(Gated_O, Gated_OStride, R4) \
	ROWPTR(Gated_Decay, Gated_DecayStride, R5) \
	MOVD col+24(FP), R22 \
	ADD  R22<<2, R3, R3 \
	ADD  R22<<2, R4, R4 \
	STATE(R8, R9) \
	MOVD R8, R13 \
	MOVD R9, R14 \
	MOVD Gated_KDim(R0), R22 \
	CMP  $const_scratchRows, R22 \
	BGT  ready \
	MOVD $scratch-32832(SP), R13 \
	ADD  $63, R13, R13 \
	AND  $~63, R13, R13 \
	MOVD $64, R14 \
ready: \
	MOVD R13, R10 \
	MOVD R14, R11

#define ZERO8(r) \
	zero(r) \
	zero(r+1) \
	zero(r+2) \
	zero(r+3) \
	zero(r+4) \
	zero(r+5) \
	zero(r+6) \
	zero(r+7)

// ROWS: all rows, even and odd k in turns.
#define ROWS(even, odd, loop, last, done) \
	MOVD Gated_KDim(R0), R12 \
	SUBS $2, R12, R12 \
	BLT  last \
loop: \
	even \
	odd \
	SUBS $2, R12, R12 \
	BGE  loop \
last: \
	ADDS $2, R12, R12 \
	BEQ  done \
	even \
done:

// LOAD, SAVE: a row.
#define LOAD \
	VLD1 (R8), [V0.S4, V1.S4, V2.S4, V3.S4] \
	ADD  R9, R8, R8

#define SAVE \
	VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R10) \
	ADD  R11, R10, R10

// ADDROW: the row times lane 0 of x goes to the sums from p on.
#define ADDROW(x, p) \
	fmlae(0, x, 0, p) \
	fmlae(0, x, 1, p+1) \
	fmlae(0, x, 2, p+2) \
	fmlae(0, x, 3, p+3)

// PROBE: the row is read at the next probe. QUERY: at the query.
#define PROBE(p) \
	FMOVS.P 4(R19), F18 \
	ADDROW(18, p)

#define QUERY(p) \
	FMOVS.P 4(R17), F17 \
	ADDROW(17, p)

// FIRST: the first pass: the row goes to the scratch and is read at the probe.
#define FIRST(p) LOAD; SAVE; PROBE(p)

// DECAY: the row times lane 0 of V19. WRITE: the row += k·V4 to V7.
#define DECAY \
	fmule(0, 19, 0, 0) \
	fmule(0, 19, 1, 1) \
	fmule(0, 19, 2, 2) \
	fmule(0, 19, 3, 3)

#define WRITE \
	FMOVS.P 4(R16), F16 \
	fmlae(0, 16, 4, 0) \
	fmlae(0, 16, 5, 1) \
	fmlae(0, 16, 6, 2) \
	fmlae(0, 16, 7, 3)

// TOKEN: the pass of a token: from the scratch to itself, or to the state in the last pass.
#define TOKEN(last) \
	ZERO8(24) \
	MOVD R13, R8 \
	MOVD R14, R9 \
	MOVD R13, R10 \
	MOVD R14, R11 \
	MOVD R2, R16 \
	MOVD R1, R17 \
	MOVD R5, R20 \
	MOVD R6, R21 \
	SUBS $1, R7, R7 \
	BEQ  last \
	ZERO8(8)

// U: V8 to V11 = u.
#define U \
	fadd(12, 8, 8) \
	fadd(13, 9, 9) \
	fadd(14, 10, 10) \
	fadd(15, 11, 11)

// VALUE: V4 to V7 = v.
#define VALUE \
	VLD1 (R3), [V4.S4, V5.S4, V6.S4, V7.S4] \
	NEXTROW(Gated_VStride, R3)

// BETA: V4 to V7 times β.
#define BETA \
	FMOVS (R6), F16 \
	NEXTROW(Gated_BetaStride, R6) \
	fmule(0, 16, 4, 4) \
	fmule(0, 16, 5, 5) \
	fmule(0, 16, 6, 6) \
	fmule(0, 16, 7, 7)

// OUTPUT: the output of the token.
#define OUTPUT \
	FMOVS Gated_Scale(R0), F16 \
	fadd(28, 24, 24) \
	fadd(29, 25, 25) \
	fadd(30, 26, 26) \
	fadd(31, 27, 27) \
	fmule(0, 16, 24, 24) \
	fmule(0, 16, 25, 25) \
	fmule(0, 16, 26, 26) \
	fmule(0, 16, 27, 27) \
	VST1 [V24.S4, V25.S4, V26.S4, V27.S4], (R4)

// NEXT: q, k and o move on by one row.
#define NEXT \
	NEXTROW(Gated_QStride, R1) \
	NEXTROW(Gated_KStride, R2) \
	NEXTROW(Gated_OStride, R4)
