// What the implementations of both scans share.
//
// DI a; SI row of the state; R8 B, R9 C, R10 X, R11 Y, R12 Dt of the token; R13 the panels' state,
// AX bytes of one panel; R14 D; R15 tokens left; DX N, CX n.

// ROWPTR: reg = address of row CX of a matrix.
#define ROWPTR(base, stride, reg) \
	MOVQ stride(DI), reg \
	IMULQ CX, reg \
	SHLQ $2, reg \
	ADDQ base(DI), reg

// NEXTROW: reg moves on by one row; CX is clobbered.
#define NEXTROW(stride, reg) \
	MOVQ stride(DI), CX \
	LEAQ (reg)(CX*4), reg

// ARGS: the registers above, but for SI, from the arguments and the given fields. It leaves from
// in CX and the bytes before the first column of a row in SI.
#define ARGS(n, d, s, b, bStride, c, cStride, x, xStride, y, yStride, dt, dtStride) \
	MOVQ a+0(FP), DI \
	MOVQ from+8(FP), CX \
	MOVQ tokens+16(FP), R15 \
	MOVQ col+24(FP), SI \
	SHLQ $2, SI \
	MOVQ n(DI), DX \
	MOVQ SI, R13 \
	IMULQ DX, R13 \
	ADDQ s(DI), R13 \
	MOVQ DX, AX \
	SHLQ $6, AX \
	MOVQ d(DI), R14 \
	ADDQ SI, R14 \
	ROWPTR(b, bStride, R8) \
	ROWPTR(c, cStride, R9) \
	ROWPTR(x, xStride, R10) \
	ADDQ SI, R10 \
	ROWPTR(y, yStride, R11) \
	ADDQ SI, R11 \
	ROWPTR(dt, dtStride, R12)

#define SSDARGS ARGS(SSD_N, SSD_D, SSD_S, SSD_B, SSD_BStride, SSD_C, SSD_CStride, SSD_X, SSD_XStride, SSD_Y, SSD_YStride, SSD_Dt, SSD_DtStride)

#define SELECTIVEARGS ARGS(Selective_N, Selective_D, Selective_S, Selective_B, Selective_BStride, Selective_C, Selective_CStride, Selective_X, Selective_XStride, Selective_Y, Selective_YStride, Selective_Dt, Selective_DtStride) \
	ADDQ SI, R12

// SSDNEXT: the registers move on by one token; BX is its decay.
#define SSDNEXT \
	NEXTROW(SSD_BStride, R8) \
	NEXTROW(SSD_CStride, R9) \
	NEXTROW(SSD_XStride, R10) \
	NEXTROW(SSD_YStride, R11) \
	NEXTROW(SSD_DtStride, R12) \
	NEXTROW(SSD_DecayStride, BX)

// SELECTIVENEXT: the registers move on by one token.
#define SELECTIVENEXT \
	NEXTROW(Selective_BStride, R8) \
	NEXTROW(Selective_CStride, R9) \
	NEXTROW(Selective_XStride, R10) \
	NEXTROW(Selective_YStride, R11) \
	NEXTROW(Selective_DtStride, R12)

// MASK8: m = the lanes in use of the eight channels from lane on; CX and SI are clobbered.
#define MASK8(lane, m) \
	MOVQ width+32(FP), CX \
	NEGQ CX \
	LEAQ ·tailMask+128(SB), SI \
	VMOVDQU (4*lane)(SI)(CX*4), m

// Offsets of the rows of ·constants.
#define K(c) ·constants+c(SB)
#define cMin 0
#define cRound 32
#define c6 64
#define c5 96
#define c4 128
#define c3 160
#define c2 192
#define c1 224
#define cOne 256
