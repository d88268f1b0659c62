// What the implementations of the recurrence share.
//
// A call runs some tokens over one block of columns. A token's pass over the state reads a row,
// updates it and writes it. The first token reads the state and the last one writes it, the others
// work on a contiguous copy: the rows of a wide state, a power of two apart, would evict each
// other from L1. A block that is not whole is copied before and after instead.
//
// DI a; R8 q; R9 k; R11 v; R12 o; R13 decay; R15 tokens left; SI row read, AX bytes to the next;
// R10 row written, BX bytes to the next; CX current k; DX KDim rounded down to even.

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

// ARGS: the pointers above from the arguments.
#define ARGS \
	MOVQ a+0(FP), DI \
	MOVQ from+8(FP), SI \
	MOVQ tokens+16(FP), R15 \
	MOVQ Recurrence_KDim(DI), DX \
	ANDQ $~1, DX \
	ROWPTR(Recurrence_Q, Recurrence_QStride, R8) \
	ROWPTR(Recurrence_K, Recurrence_KStride, R9) \
	ROWPTR(Recurrence_V, Recurrence_VStride, R11) \
	ROWPTR(Recurrence_O, Recurrence_OStride, R12) \
	ROWPTR(Recurrence_Decay, Recurrence_DecayStride, R13) \
	MOVQ col+24(FP), CX \
	LEAQ (R11)(CX*4), R11 \
	LEAQ (R12)(CX*4), R12

// STATE: ptr = first row of the block in the state, stride = bytes from row to row.
#define STATE(ptr, stride) \
	MOVQ col+24(FP), ptr \
	SHLQ $2, ptr \
	ADDQ Recurrence_S(DI), ptr \
	MOVQ Recurrence_SStride(DI), stride \
	SHLQ $2, stride

// COPY: SI, AX = the copy, or the state, R10 and BX, if a row of the block takes 1<<shift bytes
// and KDim of them do not fit. Both are kept for every token.
#define COPY(shift, ready) \
	MOVQ R10, SI \
	MOVQ BX, AX \
	CMPQ Recurrence_KDim(DI), $(const_recurScratch>>shift) \
	JGT  ready \
	LEAQ scratch-32864(SP), SI \
	ADDQ $63, SI \
	ANDQ $~63, SI \
	MOVL $(1<<shift), AX \
ready: \
	MOVQ SI, base-8(SP) \
	MOVQ AX, step-16(SP)

// TARGET: R10, BX = where this token's pass writes to: the state if it is the last of a whole
// block of columns, otherwise the copy. R15 counts down.
#define TARGET(columns, rows) \
	MOVQ base-8(SP), R10 \
	MOVQ step-16(SP), BX \
	DECQ R15 \
	JNE  rows \
	CMPQ width+32(FP), $columns \
	JLT  rows \
	STATE(R10, BX) \
rows: \
	XORL CX, CX

// PAIR: on to the next two rows; loop while there are two more.
#define PAIR(loop) \
	LEAQ (SI)(AX*2), SI \
	LEAQ (R10)(BX*2), R10 \
	ADDQ $2, CX \
	CMPQ CX, DX \
	JLT  loop

// IFEVEN: go to done if no row is left over.
#define IFEVEN(done) \
	TESTB $1, Recurrence_KDim(DI) \
	JEQ  done

// NEXTTOKEN: on to the next token's rows and the copy; go to token if there is one.
#define NEXTTOKEN(token) \
	NEXTROW(Recurrence_QStride, R8) \
	NEXTROW(Recurrence_KStride, R9) \
	NEXTROW(Recurrence_VStride, R11) \
	NEXTROW(Recurrence_OStride, R12) \
	NEXTROW(Recurrence_DecayStride, R13) \
	MOVQ base-8(SP), SI \
	MOVQ step-16(SP), AX \
	TESTQ R15, R15 \
	JNE  token
