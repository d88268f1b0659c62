//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "scan_amd64.h"

// INPUT: dt = Dt and w = Dt·X of eight channels.
#define INPUT(lane, dt, w) \
	MASK8(lane, Y15) \
	VMASKMOVPS 4*lane(R12), Y15, dt \
	VMASKMOVPS 4*lane(R10), Y15, w \
	VMULPS dt, w, w

// OUTPUT: Y = sum + D·X of eight channels, stored.
#define OUTPUT(lane, sum) \
	MASK8(lane, Y15) \
	VMASKMOVPS 4*lane(R10), Y15, Y6 \
	VMASKMOVPS 4*lane(R14), Y15, Y7 \
	VFMADD231PS Y6, Y7, sum \
	VMASKMOVPS sum, Y15, 4*lane(R11)

// EXP2: p = 2^t; m is clobbered. Y13, Y14 are the first two constants. The bound goes first in MAX
// so that a NaN stays.
#define EXP2(t, m, p) \
	VMAXPS t, Y13, t \
	VADDPS Y14, t, m \
	VSUBPS Y14, m, p \
	VSUBPS p, t, t \
	VMOVUPS K(c6), p \
	VFMADD213PS K(c5), t, p \
	VFMADD213PS K(c4), t, p \
	VFMADD213PS K(c3), t, p \
	VFMADD213PS K(c2), t, p \
	VFMADD213PS K(c1), t, p \
	VFMADD213PS K(cOne), t, p \
	VPSLLD $23, m, m \
	VMULPS m, p, p

// func selectiveAVX2(a *Selective, from, tokens, col, width int)
// The scan of one panel. Requires: AVX2, FMA.
// BX row of A less row of the state; Y0, Y1 sums; Y2, Y3 Dt; Y4, Y5 Dt·X; Y6 to Y11 powers and row;
// Y12 b, then c; Y13, Y14 constants.
TEXT ·selectiveAVX2(SB), NOSPLIT, $0-40
	SELECTIVEARGS
	MOVQ Selective_A(DI), BX
	SUBQ Selective_S(DI), BX
	VMOVUPS K(cMin), Y13
	VMOVUPS K(cRound), Y14

token:
	INPUT(0, Y2, Y4)
	INPUT(8, Y3, Y5)
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	MOVQ R13, SI
	XORL CX, CX
	TESTQ DX, DX
	JEQ  out

row:
	VMULPS (SI)(BX*1), Y2, Y6
	VMULPS 32(SI)(BX*1), Y3, Y7
	EXP2(Y6, Y8, Y10)
	EXP2(Y7, Y9, Y11)
	VBROADCASTSS (R8)(CX*4), Y12
	VMULPS Y12, Y4, Y6
	VMULPS Y12, Y5, Y7
	VBROADCASTSS (R9)(CX*4), Y12
	VFMADD231PS (SI), Y10, Y6
	VFMADD231PS 32(SI), Y11, Y7
	VMOVUPS Y6, (SI)
	VMOVUPS Y7, 32(SI)
	VFMADD231PS Y12, Y6, Y0
	VFMADD231PS Y12, Y7, Y1
	ADDQ $64, SI
	INCQ CX
	CMPQ CX, DX
	JLT  row

out:
	OUTPUT(0, Y0)
	OUTPUT(8, Y1)
	SELECTIVENEXT
	DECQ R15
	JNE  token
	VZEROUPPER
	RET
