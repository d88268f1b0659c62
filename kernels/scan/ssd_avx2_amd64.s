//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "scan_amd64.h"

// INPUT: w = Dt·X of eight channels, Dt in Y15.
#define INPUT(lane, w) \
	MASK8(lane, Y14) \
	VMASKMOVPS 4*lane(R10), Y14, w \
	VMULPS Y15, w, w

// OUTPUT: Y = sum + D·X of eight channels, stored.
#define OUTPUT(lane, sum) \
	MASK8(lane, Y14) \
	VMASKMOVPS 4*lane(R10), Y14, Y12 \
	VMASKMOVPS 4*lane(R14), Y14, Y13 \
	VFMADD231PS Y12, Y13, sum \
	VMASKMOVPS sum, Y14, 4*lane(R11)

// UPDATE: h = decay·S + w·b, stored, b in Y13. READ: sum += h·c, c in Y14.
#define UPDATE(s, w, h) \
	VMULPS s, Y12, h \
	VFMADD231PS Y13, w, h \
	VMOVUPS h, s

#define READ(h, sum) VFMADD231PS Y14, h, sum

// func ssd1AVX2(a *SSD, from, tokens, col, width int)
// The recurrence of one panel. Requires: AVX2, FMA.
// Y0, Y1 sums; Y4, Y5 Dt·X; Y8, Y9 row; Y12 decay; Y13 b; Y14 c.
TEXT ·ssd1AVX2(SB), NOSPLIT, $0-40
	SSDARGS
	ROWPTR(SSD_Decay, SSD_DecayStride, BX)

token:
	VBROADCASTSS (R12), Y15
	INPUT(0, Y4)
	INPUT(8, Y5)
	VBROADCASTSS (BX), Y12
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	MOVQ R13, SI
	XORL CX, CX
	TESTQ DX, DX
	JEQ  out

row:
	VBROADCASTSS (R8)(CX*4), Y13
	VBROADCASTSS (R9)(CX*4), Y14
	UPDATE((SI), Y4, Y8)
	UPDATE(32(SI), Y5, Y9)
	READ(Y8, Y0)
	READ(Y9, Y1)
	ADDQ $64, SI
	INCQ CX
	CMPQ CX, DX
	JLT  row

out:
	OUTPUT(0, Y0)
	OUTPUT(8, Y1)
	SSDNEXT
	DECQ R15
	JNE  token
	VZEROUPPER
	RET

// func ssd2AVX2(a *SSD, from, tokens, col, width int)
// The recurrence of two panels. Requires: AVX2, FMA.
// Y0 to Y3 sums; Y4 to Y7 Dt·X; Y8 to Y11 row; Y12 decay; Y13 b; Y14 c.
TEXT ·ssd2AVX2(SB), NOSPLIT, $0-40
	SSDARGS
	ROWPTR(SSD_Decay, SSD_DecayStride, BX)

token:
	VBROADCASTSS (R12), Y15
	INPUT(0, Y4)
	INPUT(8, Y5)
	INPUT(16, Y6)
	INPUT(24, Y7)
	VBROADCASTSS (BX), Y12
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	MOVQ R13, SI
	XORL CX, CX
	TESTQ DX, DX
	JEQ  out

row:
	VBROADCASTSS (R8)(CX*4), Y13
	VBROADCASTSS (R9)(CX*4), Y14
	UPDATE((SI), Y4, Y8)
	UPDATE(32(SI), Y5, Y9)
	UPDATE((SI)(AX*1), Y6, Y10)
	UPDATE(32(SI)(AX*1), Y7, Y11)
	READ(Y8, Y0)
	READ(Y9, Y1)
	READ(Y10, Y2)
	READ(Y11, Y3)
	ADDQ $64, SI
	INCQ CX
	CMPQ CX, DX
	JLT  row

out:
	OUTPUT(0, Y0)
	OUTPUT(8, Y1)
	OUTPUT(16, Y2)
	OUTPUT(24, Y3)
	SSDNEXT
	DECQ R15
	JNE  token
	VZEROUPPER
	RET
