// Offsets into ·constants and the bodies shared by the kernels of this package. Vector registers
// are given by number.

#define cExpMax 0
#define cExpMin 16
#define cLog2e 32
#define cNLn2Hi 48
#define cNLn2Lo 64
#define cExp6 80
#define cExp5 96
#define cExp4 112
#define cExp3 128
#define cExp2 144
#define cExp1 160
#define cOne 176
#define c127 192
#define cLog8 208
#define cLog7 224
#define cLog6 240
#define cLog5 256
#define cLog4 272
#define cLog3 288
#define cLog2 304
#define cLog1 320
#define cLog0 336
#define cLn2Lo 352
#define cNHalf 368
#define cLn2Hi 384
#define cSqrtHalf 400
#define cTiny 416
#define cUp 432
#define cN23 448
#define cNInf 464
#define cNaN 480
#define cInf 496
#define cGELUMax 512
#define cGELU9 528
#define cGELU8 544
#define cGELU7 560
#define cGELU6 576
#define cGELU5 592
#define cGELU4 608
#define cGELU3 624
#define cGELU2 640
#define cGELU1 656
#define cGELU0 672

// K: r = a constant in four lanes, for which R10 must be ·constants.
#define K(c, r) ldq(c, 10, r)

// MAP: the R2 elements at R1 pass through V0 and op to R0.
#define MAP(op) \
	SUBS $4, R2, R2 \
	BLT  rest \
loop4: \
	FMOVQ.P 16(R1), F0 \
	op \
	FMOVQ.P F0, 16(R0) \
	SUBS $4, R2, R2 \
	BGE  loop4 \
rest: \
	ADDS $4, R2, R2 \
	BEQ  done \
loop1: \
	FMOVS.P 4(R1), F0 \
	op \
	FMOVS.P F0, 4(R0) \
	SUBS $1, R2, R2 \
	BNE  loop1 \
done:

// MAP2: the same with the elements at R3 in V16 beside them.
#define MAP2(op) \
	SUBS $4, R2, R2 \
	BLT  rest \
loop4: \
	FMOVQ.P 16(R1), F0 \
	FMOVQ.P 16(R3), F16 \
	op \
	FMOVQ.P F0, 16(R0) \
	SUBS $4, R2, R2 \
	BGE  loop4 \
rest: \
	ADDS $4, R2, R2 \
	BEQ  done \
loop1: \
	FMOVS.P 4(R1), F0 \
	FMOVS.P 4(R3), F16 \
	op \
	FMOVS.P F0, 4(R0) \
	SUBS $1, R2, R2 \
	BNE  loop1 \
done:

// EXP: x = exp(x); n, p, t are clobbered. A NaN passes the bounds and what follows.
#define EXP(x, n, p, t) \
	K(cExpMax, t) \
	fmin(t, x, x) \
	K(cExpMin, t) \
	fmax(t, x, x) \
	K(cLog2e, t) \
	fmul(t, x, n) \
	frintn(n, n) \
	K(cNLn2Hi, t) \
	fmla(t, n, x) \
	K(cNLn2Lo, t) \
	fmla(t, n, x) \
	K(cExp6, p) \
	K(cExp5, t) \
	fmla(x, p, t) \
	K(cExp4, p) \
	fmla(x, t, p) \
	K(cExp3, t) \
	fmla(x, p, t) \
	K(cExp2, p) \
	fmla(x, t, p) \
	K(cExp1, t) \
	fmla(x, p, t) \
	fmul(x, x, p) \
	fmla(p, t, x) \
	K(cOne, t) \
	fadd(t, x, x) \
	fcvtns(n, n) \
	sshr(1, n, t) \
	sub(t, n, n) \
	K(c127, p) \
	add(p, t, t) \
	add(p, n, n) \
	shl(23, t, t) \
	shl(23, n, n) \
	fmul(t, x, x) \
	fmul(n, x, x)

// REDUCE: y > 0 becomes its mantissa in [√½, √2) less one, e its exponent; t is clobbered.
#define REDUCE(y, e, t) \
	K(cSqrtHalf, t) \
	sub(t, y, t) \
	sshr(23, t, t) \
	shl(23, t, e) \
	sub(e, y, y) \
	scvtf(t, e) \
	K(cOne, t) \
	fsub(t, y, y)

// LOGPOLY: p = ln(1+m) + e·ln 2 for the reduced m; z, t are clobbered.
#define LOGPOLY(m, e, p, z, t) \
	K(cLog8, p) \
	K(cLog7, z) \
	fmla(m, p, z) \
	K(cLog6, p) \
	fmla(m, z, p) \
	K(cLog5, z) \
	fmla(m, p, z) \
	K(cLog4, p) \
	fmla(m, z, p) \
	K(cLog3, z) \
	fmla(m, p, z) \
	K(cLog2, p) \
	fmla(m, z, p) \
	K(cLog1, z) \
	fmla(m, p, z) \
	K(cLog0, p) \
	fmla(m, z, p) \
	fmul(m, m, z) \
	fmul(m, p, p) \
	fmul(z, p, p) \
	K(cLn2Lo, t) \
	fmla(t, e, p) \
	K(cNHalf, t) \
	fmla(t, z, p) \
	fadd(m, p, p) \
	K(cLn2Hi, t) \
	fmla(t, e, p)
