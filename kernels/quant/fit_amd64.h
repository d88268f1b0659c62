// What the kernels share that fit codes to eight rows at a time, a lane a row. DI are the codes, R8 the
// scales, SI the columns, R9 the scales to try; DX and CX walk. Y0 is an inverse scale, Y1 the weight
// that gets the outermost level, Y2 the best gain so far, infinite where there is no usual scale, Y3 its
// scale, Y8 to Y11 are Σ w·q and Y12 is Σ q², of whole numbers and therefore exact in any order.

DATA fit<>+0(SB)/4, $0x30800000 // 2⁻³⁰
DATA fit<>+4(SB)/4, $0x53800000 // 2⁴⁰
DATA fit<>+8(SB)/4, $0x7f800000 // +Inf
DATA fit<>+12(SB)/4, $65504.0
DATA fit<>+16(SB)/4, $-65504.0
DATA fit<>+20(SB)/4, $1.0
DATA fit<>+24(SB)/4, $0x8b400000 // what four numbers 1.5·2²³ + code, shifted by 0, 8, 16 and 24, have beyond their bytes
DATA fit<>+28(SB)/4, $0x0f0f0f0f
DATA fit<>+32(SB)/4, $0x10101010
DATA fit<>+36(SB)/4, $0x30303030
DATA fit<>+40(SB)/4, $160.0
DATA fit<>+44(SB)/4, $-160.0
DATA fit<>+48(SB)/4, $15.0
DATA fit<>+52(SB)/4, $32.0
DATA fit<>+56(SB)/4, $0x4b400000 // 1.5·2²³
DATA fit<>+60(SB)/4, $-16.0
DATA fit<>+64(SB)/4, $-32.0
DATA fit<>+68(SB)/4, $31.0
GLOBL fit<>(SB), RODATA|NOPTR, $72

// RANGE: Y8 the largest weight, Y9 the least, Y10 the largest |w| as an integer, NaN above all.
#define RANGE(loop) \
	VMOVUPS (SI), Y8 \
	VMOVUPS (SI), Y9 \
	VPXOR Y10, Y10, Y10 \
	VPCMPEQD Y15, Y15, Y15 \
	VPSRLD $1, Y15, Y15 \
	MOVQ SI, DX \
	MOVQ $32, CX \
loop: \
	VMOVUPS (DX), Y0 \
	VMAXPS Y0, Y8, Y8 \
	VMINPS Y0, Y9, Y9 \
	VPAND Y15, Y0, Y0 \
	VPMAXUD Y0, Y10, Y10 \
	ADDQ $64, DX \
	DECQ CX \
	JNE loop

// USUAL: Y2 is 0 where 2⁻³⁰ < x < 2⁴⁰, else infinite. x is clobbered.
#define USUAL(x) \
	VPBROADCASTD fit<>+0(SB), Y5 \
	VPCMPGTD Y5, x, Y5 \
	VPBROADCASTD fit<>+4(SB), Y6 \
	VPCMPGTD x, Y6, Y6 \
	VPAND Y6, Y5, Y5 \
	VPBROADCASTD fit<>+8(SB), Y6 \
	VPANDN Y6, Y5, Y2

// TOP: Y1 the weight of the largest |w|, the positive one of two.
#define TOP \
	VPCMPEQD Y4, Y4, Y4 \
	VPSLLD $31, Y4, Y4 \
	VXORPS Y4, Y9, Y4 \
	VCMPPS $0x1e, Y8, Y4, Y4 \
	VBLENDVPS Y4, Y9, Y8, Y1

// SUMS: Y8 the sum of all Σ w·q.
#define SUMS \
	VADDPS Y10, Y8, Y8 \
	VADDPS Y11, Y9, Y9 \
	VADDPS Y9, Y8, Y8

// BETTER: the scale Σ w·q / Σ q², where it gains more, becomes the best.
#define BETTER \
	SUMS \
	VMULPS Y8, Y8, Y9 \
	VDIVPS Y12, Y9, Y9 \
	VCMPPS $0x1e, Y2, Y9, Y10 \
	VBLENDVPS Y10, Y9, Y2, Y2 \
	VDIVPS Y12, Y8, Y8 \
	VBLENDVPS Y10, Y8, Y3, Y3

// FOUND: Y15 marks the rows that have a usual scale, as do the low bits of AX.
#define FOUND(best) \
	VXORPS Y4, Y4, Y4 \
	VCMPPS $0x1e, Y4, best, Y15 \
	VBROADCASTSS fit<>+8(SB), Y4 \
	VCMPPS $0x11, Y4, best, Y4 \
	VANDPS Y4, Y15, Y15 \
	VMOVMSKPS Y15, AX

// HALF: y in half precision to at(R8), and back.
#define HALF(x, y, at) \
	VBROADCASTSS fit<>+12(SB), Y4 \
	VMINPS Y4, y, y \
	VBROADCASTSS fit<>+16(SB), Y4 \
	VMAXPS Y4, y, y \
	VCVTPS2PH $0, y, x \
	VMOVDQU x, at(R8) \
	VCVTPH2PS x, y

// INVERSE: Y0 = 1/y, 0 for 0.
#define INVERSE(y) \
	VXORPS Y4, Y4, Y4 \
	VCMPPS $4, Y4, y, Y4 \
	VBROADCASTSS fit<>+20(SB), Y0 \
	VDIVPS y, Y0, Y0 \
	VANDPS Y4, Y0, Y0

// JOIN: numbers 1.5·2²³ + code in Y4 to Y7 become the bytes of y, 0 for unusual rows.
#define JOIN(y) \
	VPSLLD $8, Y5, Y5 \
	VPSLLD $16, Y6, Y6 \
	VPSLLD $24, Y7, Y7 \
	VPADDD Y5, Y4, Y4 \
	VPADDD Y7, Y6, Y6 \
	VPADDD Y6, Y4, Y4 \
	VPBROADCASTD fit<>+24(SB), Y5 \
	VPSUBD Y5, Y4, Y4 \
	VPAND Y15, Y4, y

// NIBBLES: codes x of columns 4v to 4v+3 and y of 16+4v to 16+4v+3 to at(DI), but for what is above four bits.
#define NIBBLES(x, y, at) \
	VPBROADCASTD fit<>+28(SB), Y4 \
	VPAND Y4, x, Y5 \
	VPAND Y4, y, Y6 \
	VPSLLD $4, Y6, Y6 \
	VPOR Y6, Y5, Y5 \
	VMOVDQU Y5, at(DI)

// QUARTERS: the codes of eight columns at a time, by CODES of the format, to (DI); UPPER keeps what is above four bits.
#define QUARTERS(CODES, UPPER, x, y) \
	CODES(0, x) \
	CODES(1024, y) \
	NIBBLES(x, y, 0) \
	UPPER(x, y, 0) \
	CODES(256, x) \
	CODES(1280, y) \
	NIBBLES(x, y, 64) \
	UPPER(x, y, 1) \
	CODES(512, x) \
	CODES(1536, y) \
	NIBBLES(x, y, 128) \
	UPPER(x, y, 2) \
	CODES(768, x) \
	CODES(1792, y) \
	NIBBLES(x, y, 192) \
	UPPER(x, y, 3)

// NONE: nothing is above four bits.
#define NONE(x, y, v)

// EACH: what both halves of a panel begin and end with; R12 collects the rows that have a usual scale.
#define EACH(half) \
	XORL R12, R12 \
	MOVQ $2, BX \
half: \
	RANGE(range)

#define NEXT(half) \
	SHRL $8, R12 \
	SHLL $8, AX \
	ORL AX, R12 \
	ADDQ $32, DI \
	ADDQ $16, R8 \
	ADDQ $32, SI \
	DECQ BX \
	JNE half
