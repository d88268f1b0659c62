//go:build !purego

#include "textflag.h"

// ROWS: the 16 bytes at CX of rows a and b, the halves of register y; x is its lower half.
#define ROWS(a, b, x, y) \
	MOVQ a*8(SI), AX \
	MOVQ b*8(SI), BX \
	VMOVDQU (AX)(CX*1), x \
	VINSERTI128 $1, (BX)(CX*1), y, y

// func columns16AVX2(dst *uint16, rows *[Rows]*byte, octets int)
// Each half of a register holds eight columns of a row; three rounds of interleaving rows that lie
// four, two and one apart leave a column of eight rows in each.
// Requires: AVX2. Y0 to Y7 hold rows, then columns; CX is the offset in the rows.
TEXT ·columns16AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ octets+16(FP), DX
	XORQ CX, CX

loop:
	ROWS(0, 8, X0, Y0)
	ROWS(1, 9, X1, Y1)
	ROWS(2, 10, X2, Y2)
	ROWS(3, 11, X3, Y3)
	ROWS(4, 12, X4, Y4)
	ROWS(5, 13, X5, Y5)
	ROWS(6, 14, X6, Y6)
	ROWS(7, 15, X7, Y7)

	VPUNPCKLWD Y4, Y0, Y8
	VPUNPCKHWD Y4, Y0, Y9
	VPUNPCKLWD Y5, Y1, Y10
	VPUNPCKHWD Y5, Y1, Y11
	VPUNPCKLWD Y6, Y2, Y12
	VPUNPCKHWD Y6, Y2, Y13
	VPUNPCKLWD Y7, Y3, Y14
	VPUNPCKHWD Y7, Y3, Y15
	VPUNPCKLWD Y12, Y8, Y0
	VPUNPCKHWD Y12, Y8, Y1
	VPUNPCKLWD Y13, Y9, Y2
	VPUNPCKHWD Y13, Y9, Y3
	VPUNPCKLWD Y14, Y10, Y4
	VPUNPCKHWD Y14, Y10, Y5
	VPUNPCKLWD Y15, Y11, Y6
	VPUNPCKHWD Y15, Y11, Y7
	VPUNPCKLWD Y4, Y0, Y8
	VPUNPCKHWD Y4, Y0, Y9
	VPUNPCKLWD Y5, Y1, Y10
	VPUNPCKHWD Y5, Y1, Y11
	VPUNPCKLWD Y6, Y2, Y12
	VPUNPCKHWD Y6, Y2, Y13
	VPUNPCKLWD Y7, Y3, Y14
	VPUNPCKHWD Y7, Y3, Y15

	VMOVDQU Y8, 0(DI)
	VMOVDQU Y9, 32(DI)
	VMOVDQU Y10, 64(DI)
	VMOVDQU Y11, 96(DI)
	VMOVDQU Y12, 128(DI)
	VMOVDQU Y13, 160(DI)
	VMOVDQU Y14, 192(DI)
	VMOVDQU Y15, 224(DI)
	ADDQ $256, DI
	ADDQ $16, CX
	DECQ DX
	JNE  loop
	VZEROUPPER
	RET

// COLUMNS: four columns of the rows in Y0 to Y3, four in each half, to at(DI) and on.
#define COLUMNS(at) \
	VUNPCKLPS Y2, Y0, Y4 \
	VUNPCKHPS Y2, Y0, Y5 \
	VUNPCKLPS Y3, Y1, Y6 \
	VUNPCKHPS Y3, Y1, Y7 \
	VUNPCKLPS Y6, Y4, Y0 \
	VUNPCKHPS Y6, Y4, Y1 \
	VUNPCKLPS Y7, Y5, Y2 \
	VUNPCKHPS Y7, Y5, Y3 \
	VMOVUPS Y0, at(DI) \
	VMOVUPS Y1, at+64(DI) \
	VMOVUPS Y2, at+128(DI) \
	VMOVUPS Y3, at+192(DI)

// func columns32AVX2(dst *uint32, rows *[Rows]*byte, quads int)
// Requires: AVX2. Y0 to Y3 hold eight rows, then four columns of them; CX is the offset in the rows.
TEXT ·columns32AVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ rows+8(FP), SI
	MOVQ quads+16(FP), DX
	XORQ CX, CX

loop:
	ROWS(0, 4, X0, Y0)
	ROWS(1, 5, X1, Y1)
	ROWS(2, 6, X2, Y2)
	ROWS(3, 7, X3, Y3)
	COLUMNS(0)
	ROWS(8, 12, X0, Y0)
	ROWS(9, 13, X1, Y1)
	ROWS(10, 14, X2, Y2)
	ROWS(11, 15, X3, Y3)
	COLUMNS(32)
	ADDQ $256, DI
	ADDQ $16, CX
	DECQ DX
	JNE  loop
	VZEROUPPER
	RET
