//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// ZERO: V0 to V23, V30 and V31.
#define ZERO \
	zero(0) \
	zero(1) \
	zero(2) \
	zero(3) \
	zero(4) \
	zero(5) \
	zero(6) \
	zero(7) \
	zero(8) \
	zero(9) \
	zero(10) \
	zero(11) \
	zero(12) \
	zero(13) \
	zero(14) \
	zero(15) \
	zero(16) \
	zero(17) \
	zero(18) \
	zero(19) \
	zero(20) \
	zero(21) \
	zero(22) \
	zero(23) \
	zero(30) \
	zero(31)

// func fmaNEON(n int)
// Requires: NEON. V0 to V23 independent chains, all of zeros.
TEXT ·fmaNEON(SB), NOSPLIT, $0-8
	MOVD n+0(FP), R0
	ZERO
	CBZ  R0, done

loop:
	fmla(30, 31, 0)
	fmla(30, 31, 1)
	fmla(30, 31, 2)
	fmla(30, 31, 3)
	fmla(30, 31, 4)
	fmla(30, 31, 5)
	fmla(30, 31, 6)
	fmla(30, 31, 7)
	fmla(30, 31, 8)
	fmla(30, 31, 9)
	fmla(30, 31, 10)
	fmla(30, 31, 11)
	fmla(30, 31, 12)
	fmla(30, 31, 13)
	fmla(30, 31, 14)
	fmla(30, 31, 15)
	fmla(30, 31, 16)
	fmla(30, 31, 17)
	fmla(30, 31, 18)
	fmla(30, 31, 19)
	fmla(30, 31, 20)
	fmla(30, 31, 21)
	fmla(30, 31, 22)
	fmla(30, 31, 23)
	SUBS $1, R0, R0
	BNE  loop

done:
	RET

// PAIR: two products of eight bytes each, added to 32 bits.
#define PAIR(t, s) \
	smull(30, 31, t) \
	smlal(30, 31, t) \
	sadalp(t, s)

// func dot8NEON(n int)
// Requires: NEON. V0 to V7 independent sums, all of zeros; V16 to V23 products.
TEXT ·dot8NEON(SB), NOSPLIT, $0-8
	MOVD n+0(FP), R0
	ZERO
	CBZ  R0, done

loop:
	PAIR(16, 0)
	PAIR(17, 1)
	PAIR(18, 2)
	PAIR(19, 3)
	PAIR(20, 4)
	PAIR(21, 5)
	PAIR(22, 6)
	PAIR(23, 7)
	SUBS $1, R0, R0
	BNE  loop

done:
	RET

// func dot8NEONDOT(n int)
// Requires: NEON, ASIMDDP. V0 to V23 independent sums, all of zeros.
TEXT ·dot8NEONDOT(SB), NOSPLIT, $0-8
	MOVD n+0(FP), R0
	ZERO
	CBZ  R0, done

loop:
	sdote(0, 30, 31, 0)
	sdote(0, 30, 31, 1)
	sdote(0, 30, 31, 2)
	sdote(0, 30, 31, 3)
	sdote(0, 30, 31, 4)
	sdote(0, 30, 31, 5)
	sdote(0, 30, 31, 6)
	sdote(0, 30, 31, 7)
	sdote(0, 30, 31, 8)
	sdote(0, 30, 31, 9)
	sdote(0, 30, 31, 10)
	sdote(0, 30, 31, 11)
	sdote(0, 30, 31, 12)
	sdote(0, 30, 31, 13)
	sdote(0, 30, 31, 14)
	sdote(0, 30, 31, 15)
	sdote(0, 30, 31, 16)
	sdote(0, 30, 31, 17)
	sdote(0, 30, 31, 18)
	sdote(0, 30, 31, 19)
	sdote(0, 30, 31, 20)
	sdote(0, 30, 31, 21)
	sdote(0, 30, 31, 22)
	sdote(0, 30, 31, 23)
	SUBS $1, R0, R0
	BNE  loop

done:
	RET

// func readNEON(p *byte, lines int)
// Requires: NEON. V0 to V3 the line.
TEXT ·readNEON(SB), NOSPLIT, $0-16
	MOVD p+0(FP), R0
	MOVD lines+8(FP), R1

loop:
	VLD1.P 64(R0), [V0.B16, V1.B16, V2.B16, V3.B16]
	SUBS $1, R1, R1
	BNE  loop
	RET
