//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "neon_arm64.h"
#include "scan_arm64.h"

// func ssdNEON(a *SSD, from, tokens, col int)
// The recurrence of one panel. Requires: NEON.
// V0 to V3 sums; V4 to V7 Dt·X; V16 to V19 row; V20 to V23 X; V24 Dt, V25 decay; V26 b, V27 c; R15
// the decays.
TEXT ·ssdNEON(SB), NOSPLIT, $0-32
	ARGS(SSD_N, SSD_D, SSD_S, SSD_B, SSD_BStride, SSD_C, SSD_CStride, SSD_X, SSD_XStride, SSD_Y, SSD_YStride, SSD_Dt, SSD_DtStride)
	ROWPTR(SSD_Decay, SSD_DecayStride, R15)

token:
	VLD1  (R3), [V20.S4, V21.S4, V22.S4, V23.S4]
	FMOVS (R5), F24
	FMOVS (R15), F25
	fmule(0, 24, 20, 4)
	fmule(0, 24, 21, 5)
	fmule(0, 24, 22, 6)
	fmule(0, 24, 23, 7)
	PANEL(SSD_N)

row:
	VLD1    (R9), [V16.S4, V17.S4, V18.S4, V19.S4]
	FMOVS.P 4(R10), F26
	FMOVS.P 4(R11), F27
	fmule(0, 25, 16, 16)
	fmule(0, 25, 17, 17)
	fmule(0, 25, 18, 18)
	fmule(0, 25, 19, 19)
	fmlae(0, 26, 4, 16)
	fmlae(0, 26, 5, 17)
	fmlae(0, 26, 6, 18)
	fmlae(0, 26, 7, 19)
	VST1.P  [V16.S4, V17.S4, V18.S4, V19.S4], 64(R9)
	fmlae(0, 27, 16, 0)
	fmlae(0, 27, 17, 1)
	fmlae(0, 27, 18, 2)
	fmlae(0, 27, 19, 3)
	SUBS    $1, R12, R12
	BNE     row

out:
	OUTPUT(20)
	NEXTROW(SSD_BStride, R1)
	NEXTROW(SSD_CStride, R2)
	NEXTROW(SSD_XStride, R3)
	NEXTROW(SSD_YStride, R4)
	NEXTROW(SSD_DtStride, R5)
	NEXTROW(SSD_DecayStride, R15)
	SUBS $1, R6, R6
	BNE  token
	RET
