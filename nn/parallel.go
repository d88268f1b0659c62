package nn

import (
	"github.com/mminfer/mminfer/tensor"
)

// Parallel adds up branches that see the same input: y = Σ Out·f(In·x). At most one of them keeps
// keys and values.
type Parallel []Branch

// Branch is one of the branches of a [Parallel].
type Branch struct {
	Mixer   Mixer
	In, Out float32 // factors of the input and of the output
}

// StateSpec asks for what the branches keep, one after another.
func (p Parallel) StateSpec() (s StateSpec) {
	for _, b := range p {
		spec := b.Mixer.StateSpec()
		s.Floats += spec.Floats
		if spec.KV.Heads > 0 {
			s.KV = spec.KV
		}
	}
	return s
}

// StepBytes adds up the branches'.
func (p Parallel) StepBytes() (n int64) {
	for _, b := range p {
		n += b.Mixer.StepBytes()
	}
	return n
}

// StepMulAdds adds up the branches'.
func (p Parallel) StepMulAdds() (n int64) {
	for _, b := range p {
		n += b.Mixer.StepMulAdds()
	}
	return n
}

// branching is what a Mix keeps from call to call.
type branching struct{ spans []Span }

// Mix computes y from x, [T, D].
func (p Parallel) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	t := tensor.Local[branching](ws)
	at := 0
	for i, b := range p {
		n := b.Mixer.StateSpec().Floats
		t.spans = append(t.spans[:0], spans...)
		for s := range t.spans {
			t.spans[s].State.Floats = spans[s].State.Floats[at : at+n]
		}
		at += n
		u, v := x, y
		if b.In != 1 {
			u = ws.Mat(x.Rows, x.Cols)
			Scale(u, b.In, x, ws)
		}
		if i > 0 {
			v = ws.Mat(y.Rows, y.Cols)
		}
		b.Mixer.Mix(v, u, t.spans, ws)
		if i > 0 {
			axpy(y, b.Out, v, ws)
		} else if b.Out != 1 {
			Scale(y, b.Out, y, ws)
		}
	}
	clear(t.spans)
	t.spans = t.spans[:0]
	ws.Release(mark)
}
