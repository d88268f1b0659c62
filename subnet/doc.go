// Package subnet runs any shape of one LLaMA-like checkpoint, as AmoebaLLM makes them: some of its
// layers, and in each of those some heads and neurons, with the mixture of low-rank corrections
// that belongs to the shape.
//
// A base checkpoint, an adapter and a strategy are a [Family]; either of the latter two may be
// missing. [Family.Cut] gives the [Subnet] of a shape, which is a checkpoint: a model is built from
// it, or it is written to a directory, and both hold the same weights. Several models of one family
// can share the weights in memory: see [Pool].
//
// Strategy files are pickles, which are programs. The reader here executes nothing: it knows the
// opcodes and the few names that arrays are made of, and refuses everything else by name.
//
// Source: Fu et al. 2024, arXiv:2411.10606; GATECH-EIC/AmoebaLLM@abb8f7e.
package subnet
