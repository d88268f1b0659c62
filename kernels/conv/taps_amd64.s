//go:build !purego

#include "go_asm.h"
#include "textflag.h"

// tailMask, read from element 16-n, masks the first n of sixteen lanes.
DATA tailMask<>+0(SB)/8, $-1
DATA tailMask<>+8(SB)/8, $-1
DATA tailMask<>+16(SB)/8, $-1
DATA tailMask<>+24(SB)/8, $-1
DATA tailMask<>+32(SB)/8, $-1
DATA tailMask<>+40(SB)/8, $-1
DATA tailMask<>+48(SB)/8, $-1
DATA tailMask<>+56(SB)/8, $-1
GLOBL tailMask<>(SB), RODATA|NOPTR, $128

// ARGS: DI dst, SI init or 0, R8 w, R9 u, R10 taps, CX channels, R11 and R12 the strides of u and
// w in bytes.
#define ARGS \
	MOVQ a+0(FP), AX \
	MOVQ tapsArgs_dst(AX), DI \
	MOVQ tapsArgs_init(AX), SI \
	MOVQ tapsArgs_w(AX), R8 \
	MOVQ tapsArgs_u(AX), R9 \
	MOVQ tapsArgs_taps(AX), R10 \
	MOVQ tapsArgs_channels(AX), CX \
	MOVQ tapsArgs_uStride(AX), R11 \
	MOVQ tapsArgs_wStride(AX), R12

// COLUMN: BX, DX = the first tap's w and u in these channels; R13 = taps.
#define COLUMN \
	MOVQ R8, BX \
	MOVQ R9, DX \
	MOVQ R10, R13

// func tapsAVX2(a *tapsArgs)
// Requires: AVX2, FMA. Y0, Y1 sums of sixteen channels; Y2, Y3 w; Y4, Y5 u; Y6, Y7 tail mask.
TEXT ·tapsAVX2(SB), NOSPLIT, $0-8
	ARGS
	SUBQ $16, CX
	JLT  tail

loop16:
	COLUMN
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	TESTQ SI, SI
	JEQ  tap16
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	ADDQ $64, SI

tap16:
	VMOVUPS (BX), Y2
	VMOVUPS 32(BX), Y3
	VFMADD231PS (DX), Y2, Y0
	VFMADD231PS 32(DX), Y3, Y1
	ADDQ R12, BX
	ADDQ R11, DX
	DECQ R13
	JNE  tap16
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, DI
	ADDQ $64, R8
	ADDQ $64, R9
	SUBQ $16, CX
	JGE  loop16

tail:
	ADDQ $16, CX
	JEQ  done
	NEGQ CX
	LEAQ tailMask<>+64(SB), AX
	VMOVUPS (AX)(CX*4), Y6
	VMOVUPS 32(AX)(CX*4), Y7
	COLUMN
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	TESTQ SI, SI
	JEQ  tap
	VMASKMOVPS (SI), Y6, Y0
	VMASKMOVPS 32(SI), Y7, Y1

tap:
	VMASKMOVPS (BX), Y6, Y2
	VMASKMOVPS 32(BX), Y7, Y3
	VMASKMOVPS (DX), Y6, Y4
	VMASKMOVPS 32(DX), Y7, Y5
	VFMADD231PS Y4, Y2, Y0
	VFMADD231PS Y5, Y3, Y1
	ADDQ R12, BX
	ADDQ R11, DX
	DECQ R13
	JNE  tap
	VMASKMOVPS Y0, Y6, (DI)
	VMASKMOVPS Y1, Y7, 32(DI)

done:
	VZEROUPPER
	RET

// func tapsAVX512(a *tapsArgs)
// Requires: AVX512F, DQ, BW. Z0, Z1 sums of 32 channels; Z2, Z3 w; Z4, Z5 u; K1, K2 tail mask.
TEXT ·tapsAVX512(SB), NOSPLIT, $0-8
	ARGS
	SUBQ $32, CX
	JLT  tail

loop32:
	COLUMN
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	TESTQ SI, SI
	JEQ  tap32
	VMOVUPS (SI), Z0
	VMOVUPS 64(SI), Z1
	ADDQ $128, SI

tap32:
	VMOVUPS (BX), Z2
	VMOVUPS 64(BX), Z3
	VFMADD231PS (DX), Z2, Z0
	VFMADD231PS 64(DX), Z3, Z1
	ADDQ R12, BX
	ADDQ R11, DX
	DECQ R13
	JNE  tap32
	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 64(DI)
	ADDQ $128, DI
	ADDQ $128, R8
	ADDQ $128, R9
	SUBQ $32, CX
	JGE  loop32

tail:
	ADDQ $32, CX
	JEQ  done
	MOVQ $1, AX
	SHLQ CX, AX
	DECQ AX
	KMOVD AX, K1
	SHRQ $16, AX
	KMOVD AX, K2
	COLUMN
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	TESTQ SI, SI
	JEQ  tap
	VMOVUPS.Z (SI), K1, Z0
	VMOVUPS.Z 64(SI), K2, Z1

tap:
	VMOVUPS.Z (BX), K1, Z2
	VMOVUPS.Z 64(BX), K2, Z3
	VMOVUPS.Z (DX), K1, Z4
	VMOVUPS.Z 64(DX), K2, Z5
	VFMADD231PS Z4, Z2, Z0
	VFMADD231PS Z5, Z3, Z1
	ADDQ R12, BX
	ADDQ R11, DX
	DECQ R13
	JNE  tap
	VMOVUPS Z0, K1, (DI)
	VMOVUPS Z1, K2, 64(DI)

done:
	VZEROUPPER
	RET
