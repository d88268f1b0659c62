package nn

import "github.com/mminfer/mminfer/tensor"

// Mixer is one residual branch of a model: an attention, a recurrence or an MLP. It is immutable
// and serves any number of computations at once.
type Mixer interface {
	// StateSpec says what a sequence keeps for this mixer.
	StateSpec() StateSpec
	// Mix writes y = f(x), y and x [T, D], and advances every span's state by its rows; x is
	// [T, 2·D] in a block that Embeds. Feeding a sequence whole, in pieces or beside other
	// sequences gives the same bits. y does not overlap x. Scratch comes from the workspace; in the
	// steady state nothing is allocated.
	Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace)
	// StepBytes is what one token of one sequence reads of the weights, and reads and writes of
	// the fixed state.
	StepBytes() int64
	// StepMulAdds is the multiply-adds of one token's projections.
	StepMulAdds() int64
}

// StateSpec is the state of one sequence for one mixer. The zero value is no state.
type StateSpec struct {
	Floats int    // float32 numbers of fixed count; zeros at the start
	KV     KVSpec // keys and values that grow with the text
}

// State is a sequence's state for one mixer, laid out by its [StateSpec].
type State struct {
	Floats []float32
	KV     *KV // nil without keys and values
}

// Span is one sequence's rows in a batch, in which the tokens of several sequences lie end to
// end.
type Span struct {
	From, To int   // rows [From, To)
	Pos      int   // tokens absorbed before row From
	State    State // one mixer's share
}

// Block is a residual branch: x ← x + Scale·After(Mixer(Norm(x))), or, where Keep is set,
// x ← Keep·u + Scale·After(Mixer(u)) with u = Norm(x).
type Block struct {
	Norm  Norm
	Mixer Mixer
	After Norm    // of the mixer's output
	Scale float32 // the branch's factor, 0 for 1
	Keep  float32 // 0 for a residual that is not normalised
	// Embeds widens the mixer's input by the embeddings, [T, 2·D]; there is no Norm then.
	Embeds bool
}

// Apply runs the block on x [T, D] in place. The embeddings, of the same size, may be empty unless
// the block Embeds.
func (b *Block) Apply(x, embeddings tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	y, u := ws.Mat(x.Rows, x.Cols), x
	if b.Norm.Weight != nil {
		u = ws.Mat(x.Rows, x.Cols)
		b.Norm.Apply(u, x, ws)
	}
	if b.Embeds {
		u = ws.Mat(x.Rows, 2*x.Cols)
		for i := range x.Rows {
			copy(u.Row(i), x.Row(i))
			copy(u.Row(i)[x.Cols:], embeddings.Row(i))
		}
	}
	b.Mixer.Mix(y, u, spans, ws)
	if b.After.Weight != nil {
		b.After.Apply(y, y, ws)
	}
	if b.Keep != 0 {
		Scale(x, b.Keep, u, ws)
	}
	if b.Scale == 0 {
		add(x, y, ws)
	} else {
		axpy(x, b.Scale, y, ws)
	}
	ws.Release(mark)
}
