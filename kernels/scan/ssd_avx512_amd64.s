//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "scan_amd64.h"

// LANES: K1 = the lanes in use of the last panel, with panels before it.
#define LANES(before) \
	MOVQ width+32(FP), CX \
	SUBQ $(16*before), CX \
	MOVL $1, SI \
	SHLL CX, SI \
	DECL SI \
	KMOVW SI, K1

// UPDATE: h = decay·S + w·b, stored, decay in Z12 and b in Z13. READ: sum += h·c, c in Z14.
#define UPDATE(s, w, h) \
	VMULPS s, Z12, h \
	VFMADD231PS Z13, w, h \
	VMOVUPS h, s

#define READ(h, sum) VFMADD231PS Z14, h, sum

// WHOLE: sum + D·X of a whole panel, stored.
#define WHOLE(at, sum) \
	VMOVUPS at(R10), Z8 \
	VFMADD231PS at(R14), Z8, sum \
	VMOVUPS sum, at(R11)

// LAST: the same of the last panel.
#define LAST(at, sum) \
	VMOVUPS.Z at(R10), K1, Z8 \
	VMOVUPS.Z at(R14), K1, Z9 \
	VFMADD231PS Z8, Z9, sum \
	VMOVUPS sum, K1, at(R11)

// func ssd1AVX512(a *SSD, from, tokens, col, width int)
// The recurrence of one panel. Requires: AVX512F.
// K1 lanes in use; Z0 sum; Z4 Dt·X; Z8 row; Z12 decay; Z13 b; Z14 c.
TEXT ·ssd1AVX512(SB), NOSPLIT, $0-40
	SSDARGS
	ROWPTR(SSD_Decay, SSD_DecayStride, BX)
	LANES(0)

token:
	VBROADCASTSS (R12), Z15
	VMOVUPS.Z (R10), K1, Z4
	VMULPS Z15, Z4, Z4
	VBROADCASTSS (BX), Z12
	VPXORQ Z0, Z0, Z0
	MOVQ R13, SI
	XORL CX, CX
	TESTQ DX, DX
	JEQ  out

row:
	VBROADCASTSS (R8)(CX*4), Z13
	VBROADCASTSS (R9)(CX*4), Z14
	UPDATE((SI), Z4, Z8)
	READ(Z8, Z0)
	ADDQ $64, SI
	INCQ CX
	CMPQ CX, DX
	JLT  row

out:
	LAST(0, Z0)
	SSDNEXT
	DECQ R15
	JNE  token
	VZEROUPPER
	RET

// func ssd4AVX512(a *SSD, from, tokens, col, width int)
// The recurrence of four panels. Requires: AVX512F.
// R15 row of the third panel; K1 lanes in use of the last; Z0 to Z3 sums; Z4 to Z7 Dt·X; Z8 to Z11
// row; Z12 decay; Z13 b; Z14 c.
TEXT ·ssd4AVX512(SB), NOSPLIT, $0-40
	SSDARGS
	ROWPTR(SSD_Decay, SSD_DecayStride, BX)
	LANES(3)

token:
	VBROADCASTSS (R12), Z15
	VMULPS (R10), Z15, Z4
	VMULPS 64(R10), Z15, Z5
	VMULPS 128(R10), Z15, Z6
	VMOVUPS.Z 192(R10), K1, Z7
	VMULPS Z15, Z7, Z7
	VBROADCASTSS (BX), Z12
	VPXORQ Z0, Z0, Z0
	VPXORQ Z1, Z1, Z1
	VPXORQ Z2, Z2, Z2
	VPXORQ Z3, Z3, Z3
	MOVQ R13, SI
	LEAQ (R13)(AX*2), R15
	XORL CX, CX
	TESTQ DX, DX
	JEQ  out

row:
	VBROADCASTSS (R8)(CX*4), Z13
	VBROADCASTSS (R9)(CX*4), Z14
	UPDATE((SI), Z4, Z8)
	UPDATE((SI)(AX*1), Z5, Z9)
	UPDATE((R15), Z6, Z10)
	UPDATE((R15)(AX*1), Z7, Z11)
	READ(Z8, Z0)
	READ(Z9, Z1)
	READ(Z10, Z2)
	READ(Z11, Z3)
	ADDQ $64, SI
	ADDQ $64, R15
	INCQ CX
	CMPQ CX, DX
	JLT  row

out:
	WHOLE(0, Z0)
	WHOLE(64, Z1)
	WHOLE(128, Z2)
	LAST(192, Z3)
	SSDNEXT
	DECQ tokens+16(FP)
	JNE  token
	VZEROUPPER
	RET
