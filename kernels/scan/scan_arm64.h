// What the implementations of both scans share. They run tokens over one panel of sixteen channels.
//
// R0 a; R1 B, R2 C, R3 X, R4 Y, R5 Dt of the token; R6 tokens left; R7 the panel's state, R8 D of the
// panel; R9 row of the state; R10 b and R11 c of the row; R12 rows left.

// ROWPTR: reg = address of row R12 of a matrix; R13 is clobbered.
#define ROWPTR(base, stride, reg) \
	MOVD stride(R0), R13 \
	MUL  R12, R13, R13 \
	MOVD base(R0), reg \
	ADD  R13<<2, reg, reg

// NEXTROW: reg moves on by one row; R13 is clobbered.
#define NEXTROW(stride, reg) \
	MOVD stride(R0), R13 \
	ADD  R13<<2, reg, reg

// ARGS: R0 to R8 from the arguments and the given fields. It leaves from in R12 and the bytes before
// the panel in a row in R14.
#define ARGS(n, d, s, b, bStride, c, cStride, x, xStride, y, yStride, dt, dtStride) \
	MOVD a+0(FP), R0 \
	MOVD from+8(FP), R12 \
	MOVD tokens+16(FP), R6 \
	MOVD col+24(FP), R14 \
	LSL  $2, R14, R14 \
	MOVD n(R0), R13 \
	MUL  R14, R13, R13 \
	MOVD s(R0), R7 \
	ADD  R13, R7, R7 \
	MOVD d(R0), R8 \
	ADD  R14, R8, R8 \
	ROWPTR(b, bStride, R1) \
	ROWPTR(c, cStride, R2) \
	ROWPTR(x, xStride, R3) \
	ADD  R14, R3, R3 \
	ROWPTR(y, yStride, R4) \
	ADD  R14, R4, R4 \
	ROWPTR(dt, dtStride, R5)

// PANEL: the first row of the panel; go to out if there is none. No sums in V0 to V3.
#define PANEL(n) \
	zero(0) \
	zero(1) \
	zero(2) \
	zero(3) \
	MOVD R7, R9 \
	MOVD R1, R10 \
	MOVD R2, R11 \
	MOVD n(R0), R12 \
	CBZ  R12, out

// OUTPUT: Y = sum + D·X, with X in the four registers from x on; V16 to V19 are clobbered.
#define OUTPUT(x) \
	VLD1 (R8), [V16.S4, V17.S4, V18.S4, V19.S4] \
	fmla(16, x, 0) \
	fmla(17, x+1, 1) \
	fmla(18, x+2, 2) \
	fmla(19, x+3, 3) \
	VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R4)
