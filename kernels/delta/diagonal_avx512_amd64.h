// The vector bodies that the AVX-512 rules with a decay for each key share.

// FIRST: a row of the state goes to the scratch and its product with the key to sums u0, u1.
#define FIRST(from0, from1, to0, to1, key, u0, u1) \
	VMOVUPS.Z from0, K1, Z0 \
	VMOVUPS.Z from1, K2, Z1 \
	VBROADCASTSS key, Z4 \
	VMOVUPS Z0, to0 \
	VMOVUPS Z1, to1 \
	VFMADD231PS Z0, Z4, u0 \
	VFMADD231PS Z1, Z4, u1

// DIAGONALROW: Z0, Z1 = a·S + k·d of one row, d in Z6, Z7.
#define DIAGONALROW(from0, from1, a, k) \
	VBROADCASTSS a, Z2 \
	VBROADCASTSS k, Z3 \
	VMULPS from0, Z2, Z0 \
	VMULPS from1, Z2, Z1 \
	VFMADD231PS Z3, Z6, Z0 \
	VFMADD231PS Z3, Z7, Z1

// LOWRANKROW: Z0, Z1 = a·S - w·u + k·v of one row, u in Z4, Z5, v in Z6, Z7.
#define LOWRANKROW(from0, from1, a, w, k) \
	VBROADCASTSS a, Z2 \
	VBROADCASTSS w, Z3 \
	VMULPS from0, Z2, Z0 \
	VMULPS from1, Z2, Z1 \
	VFNMADD231PS Z3, Z4, Z0 \
	VFNMADD231PS Z3, Z5, Z1 \
	VBROADCASTSS k, Z2 \
	VFMADD231PS Z2, Z6, Z0 \
	VFMADD231PS Z2, Z7, Z1

// STORE: the row goes back to the scratch. STATESTORE: the lanes in use go to the state.
#define STORE(to0, to1) \
	VMOVUPS Z0, to0 \
	VMOVUPS Z1, to1

#define STATESTORE(to0, to1) \
	VMOVUPS Z0, K1, to0 \
	VMOVUPS Z1, K2, to1

// READ: the product of the row in Z0, Z1 with x goes to sums p0, p1.
#define READ(x, p0, p1) \
	VBROADCASTSS x, Z3 \
	VFMADD231PS Z0, Z3, p0 \
	VFMADD231PS Z1, Z3, p1

#define ZERO4(a, b, c, d) \
	VPXORQ a, a, a \
	VPXORQ b, b, b \
	VPXORQ c, c, c \
	VPXORQ d, d, d

// DELTA: Z6, Z7 = d of the next token from the sums in Z8 to Z11.
#define DELTA \
	VMOVUPS.Z (R11), K1, Z6 \
	VMOVUPS.Z 64(R11), K2, Z7 \
	VBROADCASTSS (R14), Z2 \
	VADDPS Z10, Z8, Z8 \
	VADDPS Z11, Z9, Z9 \
	VSUBPS Z8, Z6, Z6 \
	VSUBPS Z9, Z7, Z7 \
	VMULPS Z2, Z6, Z6 \
	VMULPS Z2, Z7, Z7 \
	NEXTROW(Gated_BetaStride, R14) \
	NEXTROW(Gated_VStride, R11)

// SUMS: Z4, Z5 = u and Z6, Z7 = v of the next token.
#define SUMS \
	VMOVUPS.Z (R11), K1, Z6 \
	VMOVUPS.Z 64(R11), K2, Z7 \
	VADDPS Z10, Z8, Z4 \
	VADDPS Z11, Z9, Z5 \
	NEXTROW(Gated_VStride, R11)

// OUTPUT: the output of the token, from the sums in Z12 to Z15, is stored.
#define OUTPUT \
	VBROADCASTSS Gated_Scale(DI), Z3 \
	VADDPS Z14, Z12, Z0 \
	VADDPS Z15, Z13, Z1 \
	VMULPS Z3, Z0, Z0 \
	VMULPS Z3, Z1, Z1 \
	STATESTORE((R12), 64(R12))
