// Package subnet runs any shape of one LLaMA-like checkpoint, as AmoebaLLM makes them: some of its
// layers, and in each of those some heads and neurons, with the mixture of low-rank corrections
// that belongs to the shape.
//
// A base checkpoint, an adapter and a strategy are a [Family]; either of the latter two may be
// missing. [Family.Cut] gives the [Subnet] of a shape, which is a checkpoint: a model is built from
// it, or it is written to a directory, and both hold the same weights. Several models of one family
// can share the weights in memory: see [Weights].
//
// Strategy files are pickles, which are programs. The reader here executes nothing: it knows the
// opcodes and the few names that arrays are made of, and refuses everything else by name.
//
// Where the reference's code surprises, its numbers are kept and its failures are not:
//
//   - Width 1 leaves out the lowest-ranked unit and adds its bias, because masks keep scores above the
//     threshold and not at it. It is not the base model (TestCombinations).
//   - Experts are mixed before they are multiplied (TestMixedFirst). The noise that inference draws for the
//     gates is left out unless a seed asks for it, or gates are given (TestGates).
//   - Masks may be for any ratios; the file that ships has others than its evaluation uses. Those
//     that there are, the error names (TestRatios).
//   - The mixture can be merged and written, which the reference's merge cannot (TestWritten), and masks work in
//     every format of weights, where the reference has them for 4 and 8 bits alone (TestForms).
//   - Any layer can be left out, the last included, which takes the reference's cache with it
//     (TestDepthOnly). What is left out is left out: no figure is of a whole model under a smaller name.
//   - Lists of ratios are parsed, not evaluated (TestShapes), and pickles read, not run (TestPickleRefuses).
//   - Head widths are the model's, not 128 (TestGolden).
//   - What is odd about the selection is kept, for the same masks and biases: heads weigh a whole number of neurons,
//     170 where they have 128 channels; fluctuations leave out the first window, are from the new mean on both
//     sides and not divided by tokens; the metric of attentions is squared; means are rounded to float16 for
//     biases (TestReference, "kept").
//   - Accuracy is of all subjects and questions that are read, where the reference's logs have the first of
//     several tasks and count batches (TestReference). Questions that are too long keep their end, the reference
//     their beginning (TestQuestionsAreCut of the command).
//   - Base weights are what their file says, or a format that is asked for: the reference trains on 4 bits and
//     evaluates on 8 (TestForms).
//
// Source: Fu et al. 2024, arXiv:2411.10606; GATECH-EIC/AmoebaLLM@abb8f7e.
package subnet
