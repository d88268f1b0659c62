// What the implementations of the gated delta rule share.
//
// A call runs some tokens over one block of columns. Token t's pass over the state updates it,
// reads it at the query and, for u of token t+1, at the next key, so that a row is loaded and
// stored once a token. The first load copies the block to contiguous scratch, the last token's
// pass stores it back: the rows of a wide state, a power of two apart, would evict each other from L1.
//
// DI a; R8 q; R9 k; R10 next k; R11 v; R12 o; R13 decay; R14 beta; R15 tokens left;
// BX scratch, AX its stride, SI its current row; CX current k; DX KDim rounded down to even.

// ROWPTR: reg = address of row SI of a matrix.
#define ROWPTR(base, stride, reg) \
	MOVQ stride(DI), reg \
	IMULQ SI, reg \
	SHLQ $2, reg \
	ADDQ base(DI), reg

// NEXTROW: reg moves on by one row; CX is clobbered.
#define NEXTROW(stride, reg) \
	MOVQ stride(DI), CX \
	LEAQ (reg)(CX*4), reg

// ARGS: the registers above, but for scratch and the next k, from the arguments.
#define ARGS \
	MOVQ a+0(FP), DI \
	MOVQ from+8(FP), SI \
	MOVQ tokens+16(FP), R15 \
	MOVQ Gated_KDim(DI), DX \
	ANDQ $~1, DX \
	ROWPTR(Gated_Q, Gated_QStride, R8) \
	ROWPTR(Gated_K, Gated_KStride, R9) \
	ROWPTR(Gated_V, Gated_VStride, R11) \
	ROWPTR(Gated_O, Gated_OStride, R12) \
	ROWPTR(Gated_Decay, Gated_DecayStride, R13) \
	ROWPTR(Gated_Beta, Gated_BetaStride, R14) \
	MOVQ col+24(FP), CX \
	LEAQ (R11)(CX*4), R11 \
	LEAQ (R12)(CX*4), R12

// STATE: ptr = first row of the block in the state, stride = bytes from row to row.
#define STATE(ptr, stride) \
	MOVQ col+24(FP), ptr \
	SHLQ $2, ptr \
	ADDQ Gated_S(DI), ptr \
	MOVQ Gated_SStride(DI), stride \
	SHLQ $2, stride

// SCRATCH: SI, AX = the scratch and its stride, or the state, R10 and BX, if a row of the block
// takes 1<<shift bytes and KDim of them do not fit. The address is kept for every pass.
#define SCRATCH(shift, ready) \
	MOVQ R10, SI \
	MOVQ BX, AX \
	CMPQ Gated_KDim(DI), $(const_gatedScratch>>shift) \
	JGT  ready \
	LEAQ scratch-32856(SP), SI \
	ADDQ $63, SI \
	ANDQ $~63, SI \
	MOVL $(1<<shift), AX \
ready: \
	MOVQ SI, base-8(SP)

// NEXTKEY: R10 = the next token's key.
#define NEXTKEY \
	MOVQ R9, R10 \
	NEXTROW(Gated_KStride, R10)

// PAIRS: the first row; go to odd if there are not two.
#define PAIRS(odd) \
	XORL CX, CX \
	TESTQ DX, DX \
	JEQ  odd

// PAIR: on to the next two rows of the scratch; loop while there are two more.
#define PAIR(loop) \
	LEAQ (SI)(AX*2), SI \
	ADDQ $2, CX \
	CMPQ CX, DX \
	JLT  loop

// IFEVEN: go to done if no row is left over.
#define IFEVEN(done) \
	TESTB $1, Gated_KDim(DI) \
	JEQ  done
