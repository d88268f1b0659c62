// Package tensor holds the two kinds of numbers an engine has: weights, immutable and packed in
// panels for multiplication ([Weight], made from a checkpoint's [Tensor]), and activations, float32
// matrices ([Mat]) taken from a [Workspace]. [MatMul] multiplies them on the one worker pool
// ([Pool]).
//
// An element of a product has the same bits whatever the number of rows computed with it, the
// number of threads and the instruction set: see kernels/gemm.
package tensor
