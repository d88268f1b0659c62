// The vector bodies that the AVX2 rules with a decay for each key share.

// FIRST: a row of the state goes to the scratch and its product with the key to sums u0, u1.
#define FIRST(from0, from1, to0, to1, key, u0, u1) \
	VMASKMOVPS from0, Y14, Y0 \
	VMASKMOVPS from1, Y15, Y1 \
	VBROADCASTSS key, Y4 \
	VMOVUPS Y0, to0 \
	VMOVUPS Y1, to1 \
	VFMADD231PS Y0, Y4, u0 \
	VFMADD231PS Y1, Y4, u1

// DIAGONALROW: Y0, Y1 = a·S + k·d of one row, stored, d in Y6, Y7.
#define DIAGONALROW(from0, from1, to0, to1, a, k) \
	VBROADCASTSS a, Y2 \
	VBROADCASTSS k, Y3 \
	VMULPS from0, Y2, Y0 \
	VMULPS from1, Y2, Y1 \
	VFMADD231PS Y3, Y6, Y0 \
	VFMADD231PS Y3, Y7, Y1 \
	VMOVUPS Y0, to0 \
	VMOVUPS Y1, to1

// LOWRANKROW: Y0, Y1 = a·S - w·u + k·v of one row, stored, u in Y4, Y5, v in Y6, Y7.
#define LOWRANKROW(from0, from1, to0, to1, a, w, k) \
	VBROADCASTSS a, Y2 \
	VBROADCASTSS w, Y3 \
	VMULPS from0, Y2, Y0 \
	VMULPS from1, Y2, Y1 \
	VFNMADD231PS Y3, Y4, Y0 \
	VFNMADD231PS Y3, Y5, Y1 \
	VBROADCASTSS k, Y2 \
	VFMADD231PS Y2, Y6, Y0 \
	VFMADD231PS Y2, Y7, Y1 \
	VMOVUPS Y0, to0 \
	VMOVUPS Y1, to1

// READ: the product of the row in Y0, Y1 with x goes to sums p0, p1.
#define READ(x, p0, p1) \
	VBROADCASTSS x, Y3 \
	VFMADD231PS Y0, Y3, p0 \
	VFMADD231PS Y1, Y3, p1

#define ZERO4(a, b, c, d) \
	VXORPS a, a, a \
	VXORPS b, b, b \
	VXORPS c, c, c \
	VXORPS d, d, d

// MASKS: m0, m1 = the lanes in use; CX and SI are clobbered.
#define MASKS(m0, m1) \
	MOVQ width+32(FP), CX \
	NEGQ CX \
	LEAQ tailMask<>+64(SB), SI \
	VMOVDQU (SI)(CX*4), m0 \
	VMOVDQU 32(SI)(CX*4), m1

// DELTA: Y6, Y7 = d of the next token from the sums in Y8 to Y11.
#define DELTA \
	MASKS(Y2, Y3) \
	VMASKMOVPS (R11), Y2, Y6 \
	VMASKMOVPS 32(R11), Y3, Y7 \
	VBROADCASTSS (R14), Y2 \
	VADDPS Y10, Y8, Y8 \
	VADDPS Y11, Y9, Y9 \
	VSUBPS Y8, Y6, Y6 \
	VSUBPS Y9, Y7, Y7 \
	VMULPS Y2, Y6, Y6 \
	VMULPS Y2, Y7, Y7 \
	NEXTROW(Gated_BetaStride, R14) \
	NEXTROW(Gated_VStride, R11)

// SUMS: Y4, Y5 = u and Y6, Y7 = v of the next token.
#define SUMS \
	MASKS(Y2, Y3) \
	VMASKMOVPS (R11), Y2, Y6 \
	VMASKMOVPS 32(R11), Y3, Y7 \
	VADDPS Y10, Y8, Y4 \
	VADDPS Y11, Y9, Y5 \
	NEXTROW(Gated_VStride, R11)

// OUTPUT: the output of the token, from the sums in Y12 to Y15, is stored; on to all if the block
// is whole, else to next with the masks in Y2, Y3.
#define OUTPUT(narrow, next) \
	VBROADCASTSS Gated_Scale(DI), Y3 \
	VADDPS Y14, Y12, Y0 \
	VADDPS Y15, Y13, Y1 \
	VMULPS Y3, Y0, Y0 \
	VMULPS Y3, Y1, Y1 \
	CMPQ width+32(FP), $16 \
	JLT  narrow \
	VMOVUPS Y0, (R12) \
	VMOVUPS Y1, 32(R12) \
	JMP  next \
narrow: \
	MASKS(Y2, Y3) \
	VMASKMOVPS Y0, Y2, (R12) \
	VMASKMOVPS Y1, Y3, 32(R12)

// PREFETCH2: two rows of the next block of columns.
#define PREFETCH2 \
	PREFETCHT0 64(R10) \
	PREFETCHT0 64(R10)(R11*1)
