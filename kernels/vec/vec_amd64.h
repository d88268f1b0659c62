// Offsets into ·constants and the bodies shared by the kernels of this package.

#define cExpMax 0
#define cExpMin 32
#define cLog2e 64
#define cNLn2Hi 96
#define cNLn2Lo 128
#define cExp6 160
#define cExp5 192
#define cExp4 224
#define cExp3 256
#define cExp2 288
#define cExp1 320
#define cOne 352
#define c127 384
#define cLog8 416
#define cLog7 448
#define cLog6 480
#define cLog5 512
#define cLog4 544
#define cLog3 576
#define cLog2 608
#define cLog1 640
#define cLog0 672
#define cLn2Lo 704
#define cNHalf 736
#define cLn2Hi 768
#define cSqrtHalf 800
#define cTiny 832
#define cUp 864
#define cN23 896
#define cNInf 928
#define cNaN 960
#define cInf 992
#define cSign 1024

#define K(c) ·constants+c(SB)

// EXP8: x = exp(x) in eight lanes; n, p, t are clobbered.
// The bound goes first in MIN and MAX so that a NaN in x stays.
#define EXP8(x, n, p, t) \
	VMOVUPS K(cExpMax), t \
	VMINPS x, t, x \
	VMOVUPS K(cExpMin), t \
	VMAXPS x, t, x \
	VMULPS K(cLog2e), x, n \
	VROUNDPS $0, n, n \
	VFMADD231PS K(cNLn2Hi), n, x \
	VFMADD231PS K(cNLn2Lo), n, x \
	VMOVUPS K(cExp6), p \
	VFMADD213PS K(cExp5), x, p \
	VFMADD213PS K(cExp4), x, p \
	VFMADD213PS K(cExp3), x, p \
	VFMADD213PS K(cExp2), x, p \
	VFMADD213PS K(cExp1), x, p \
	VMULPS x, x, t \
	VFMADD213PS x, t, p \
	VADDPS K(cOne), p, p \
	VCVTPS2DQ n, n \
	VPSRAD $1, n, t \
	VPSUBD t, n, n \
	VPADDD K(c127), t, t \
	VPADDD K(c127), n, n \
	VPSLLD $23, t, t \
	VPSLLD $23, n, n \
	VMULPS t, p, x \
	VMULPS n, x, x

// EXP16: the same in sixteen lanes.
#define EXP16(x, n, p, t) \
	VBROADCASTSS K(cExpMax), t \
	VMINPS x, t, x \
	VBROADCASTSS K(cExpMin), t \
	VMAXPS x, t, x \
	VMULPS.BCST K(cLog2e), x, n \
	VRNDSCALEPS $0, n, n \
	VFMADD231PS.BCST K(cNLn2Hi), n, x \
	VFMADD231PS.BCST K(cNLn2Lo), n, x \
	VBROADCASTSS K(cExp6), p \
	VFMADD213PS.BCST K(cExp5), x, p \
	VFMADD213PS.BCST K(cExp4), x, p \
	VFMADD213PS.BCST K(cExp3), x, p \
	VFMADD213PS.BCST K(cExp2), x, p \
	VFMADD213PS.BCST K(cExp1), x, p \
	VMULPS x, x, t \
	VFMADD213PS x, t, p \
	VADDPS.BCST K(cOne), p, p \
	VCVTPS2DQ n, n \
	VPSRAD $1, n, t \
	VPSUBD t, n, n \
	VPADDD.BCST K(c127), t, t \
	VPADDD.BCST K(c127), n, n \
	VPSLLD $23, t, t \
	VPSLLD $23, n, n \
	VMULPS t, p, x \
	VMULPS n, x, x

// LOGPOLY8: p = ln(1+m) + e·ln 2 for the reduced m; z is clobbered.
#define LOGPOLY8(m, e, p, z) \
	VMOVUPS K(cLog8), p \
	VFMADD213PS K(cLog7), m, p \
	VFMADD213PS K(cLog6), m, p \
	VFMADD213PS K(cLog5), m, p \
	VFMADD213PS K(cLog4), m, p \
	VFMADD213PS K(cLog3), m, p \
	VFMADD213PS K(cLog2), m, p \
	VFMADD213PS K(cLog1), m, p \
	VFMADD213PS K(cLog0), m, p \
	VMULPS m, m, z \
	VMULPS m, p, p \
	VMULPS z, p, p \
	VFMADD231PS K(cLn2Lo), e, p \
	VFMADD231PS K(cNHalf), z, p \
	VADDPS m, p, p \
	VFMADD231PS K(cLn2Hi), e, p

#define LOGPOLY16(m, e, p, z) \
	VBROADCASTSS K(cLog8), p \
	VFMADD213PS.BCST K(cLog7), m, p \
	VFMADD213PS.BCST K(cLog6), m, p \
	VFMADD213PS.BCST K(cLog5), m, p \
	VFMADD213PS.BCST K(cLog4), m, p \
	VFMADD213PS.BCST K(cLog3), m, p \
	VFMADD213PS.BCST K(cLog2), m, p \
	VFMADD213PS.BCST K(cLog1), m, p \
	VFMADD213PS.BCST K(cLog0), m, p \
	VMULPS m, m, z \
	VMULPS m, p, p \
	VMULPS z, p, p \
	VFMADD231PS.BCST K(cLn2Lo), e, p \
	VFMADD231PS.BCST K(cNHalf), z, p \
	VADDPS m, p, p \
	VFMADD231PS.BCST K(cLn2Hi), e, p

// REDUCE8: y > 0 becomes its mantissa in [√½, √2) less one, and its exponent is added to e.
#define REDUCE8(y, e, t) \
	VPSUBD K(cSqrtHalf), y, t \
	VPSRAD $23, t, t \
	VPSLLD $23, t, e \
	VPSUBD e, y, y \
	VCVTDQ2PS t, e \
	VSUBPS K(cOne), y, y

#define REDUCE16(y, e, t) \
	VPSUBD.BCST K(cSqrtHalf), y, t \
	VPSRAD $23, t, t \
	VPSLLD $23, t, e \
	VPSUBD e, y, y \
	VCVTDQ2PS t, e \
	VSUBPS.BCST K(cOne), y, y
