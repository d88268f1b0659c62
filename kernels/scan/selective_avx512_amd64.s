//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "scan_amd64.h"

// func selectiveAVX512(a *Selective, from, tokens, col, width int)
// The scan of one panel. Requires: AVX512F.
// BX row of A less row of the state; K1 lanes in use; Z0 sum; Z2 Dt; Z4 Dt·X; Z6 power, then row; Z8
// rounded power; Z10 result of the exponential, whose constants are Z16 to Z24.
TEXT ·selectiveAVX512(SB), NOSPLIT, $0-40
	SELECTIVEARGS
	MOVQ width+32(FP), CX
	MOVL $1, SI
	SHLL CX, SI
	DECL SI
	KMOVW SI, K1
	MOVQ Selective_A(DI), BX
	SUBQ Selective_S(DI), BX
	VBROADCASTSS K(cMin), Z16
	VBROADCASTSS K(cRound), Z17
	VBROADCASTSS K(c6), Z18
	VBROADCASTSS K(c5), Z19
	VBROADCASTSS K(c4), Z20
	VBROADCASTSS K(c3), Z21
	VBROADCASTSS K(c2), Z22
	VBROADCASTSS K(c1), Z23
	VBROADCASTSS K(cOne), Z24

token:
	VMOVUPS.Z (R12), K1, Z2
	VMOVUPS.Z (R10), K1, Z4
	VMULPS Z2, Z4, Z4
	VPXORQ Z0, Z0, Z0
	MOVQ R13, SI
	XORL CX, CX
	TESTQ DX, DX
	JEQ  out

row:
	VMULPS (SI)(BX*1), Z2, Z6
	VMAXPS Z6, Z16, Z6 // the bound first: a NaN stays
	VADDPS Z17, Z6, Z8
	VSUBPS Z17, Z8, Z10
	VSUBPS Z10, Z6, Z6
	VMOVAPS Z18, Z10
	VFMADD213PS Z19, Z6, Z10
	VFMADD213PS Z20, Z6, Z10
	VFMADD213PS Z21, Z6, Z10
	VFMADD213PS Z22, Z6, Z10
	VFMADD213PS Z23, Z6, Z10
	VFMADD213PS Z24, Z6, Z10
	VPSLLD $23, Z8, Z8
	VMULPS Z8, Z10, Z10
	VMULPS.BCST (R8)(CX*4), Z4, Z6
	VFMADD231PS (SI), Z10, Z6
	VMOVUPS Z6, (SI)
	VFMADD231PS.BCST (R9)(CX*4), Z6, Z0
	ADDQ $64, SI
	INCQ CX
	CMPQ CX, DX
	JLT  row

out:
	VMOVUPS.Z (R10), K1, Z6
	VMOVUPS.Z (R14), K1, Z8
	VFMADD231PS Z6, Z8, Z0
	VMOVUPS Z0, K1, (R11)
	SELECTIVENEXT
	DECQ R15
	JNE  token
	VZEROUPPER
	RET
