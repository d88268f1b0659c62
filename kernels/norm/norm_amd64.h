// The parts that the kernels of this package share. Registers in all of them: SI, DI the row of
// x and of dst; BX the offset of an element in bytes; CX elements left over in the steps of a
// row; R9 the row's elements; R10 the bytes of its whole sixteens; R11 the elements after them;
// X11 one, X12 eps, X13 float32(R9).

// TREE: X0 = the sum of the lanes of Y0 (0 to 7) and Y1 (8 to 15) in the order of
// kernels.Tree16; Y1 is clobbered.
#define TREE \
	VADDPS Y1, Y0, Y0 \
	VEXTRACTF128 $1, Y0, X1 \
	VADDPS X1, X0, X0 \
	VPERMILPS $0x0e, X0, X1 \
	VADDPS X1, X0, X0 \
	VMOVSHDUP X0, X1 \
	VADDSS X1, X0, X0

// INVERSE: X0 = 1 / sqrt(X0 + eps).
#define INVERSE \
	VADDSS X12, X0, X0 \
	VSQRTSS X0, X0, X0 \
	VDIVSS X0, X11, X0

// SPLIT: R10, R11 and X11 from R9; AX is clobbered.
#define SPLIT \
	MOVQ R9, R10 \
	ANDQ $~15, R10 \
	MOVQ R9, R11 \
	SUBQ R10, R11 \
	SHLQ $2, R10 \
	MOVL $0x3f800000, AX \
	VMOVD AX, X11

// MASK16: K1 = the lanes of the last R11 elements.
#define MASK16 \
	MOVL $1, AX \
	MOVQ R11, CX \
	SHLL CX, AX \
	DECL AX \
	KMOVW AX, K1
