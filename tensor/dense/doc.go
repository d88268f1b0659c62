// Package dense exchanges matrices and N-d arrays of float32 (logits, embeddings, latents,
// images) with gorgonia.org/tensor without a copy, and multiplies gorgonia's tensors on this
// module's kernels.
//
// [Engine.FromMat] and [Engine.FromSlice] make one of gorgonia's *tensor.Dense over memory that
// stays the caller's; [ToMat] and [ToSlice] return the memory of one. What is written through
// either side is seen through the other, and so is what gorgonia moves in place (Transpose). A
// matrix whose rows lie apart becomes a view with that stride.
//
// An [Engine] is an execution engine for gorgonia; the left operand's engine computes. Its
// products and softmaxes of float32 read every operand by its strides. Gorgonia's StdEng v0.9.24
// does not: given a view of some columns it takes the view's width for the distance between rows,
// and returns wrong numbers without an error. Everything else (other element types, elementwise
// operations, gradients) is StdEng's, with StdEng's limits: materialize a view of another type
// before multiplying it. Masks are ignored, as by StdEng.
//
// Gorgonia has no tensors without elements; making one is an error here.
package dense
