package nn

import "github.com/mminfer/mminfer/tensor"

// Recurrence is the part of a mixer that carries a state through the tokens. Its heads never
// meet, so they run in parallel. It is immutable; its weights are small. The recurrences are
// [LinearAttn], [Retention], [GLA], [DeltaNet], [GatedDelta], [KDA], [GSA], [HGRN] and [HGRN2].
type Recurrence interface {
	// shape tells the sizes.
	shape() recurShape
	// prepare transforms what needs all heads at once, before the heads part: projections of
	// features and positions. Spans is nil where tokens of several memories are mixed.
	prepare(in signals, spans []Span, ws *tensor.Workspace) signals
	// advance absorbs some tokens with one head: o [n, O] and the rows of in, of which it takes
	// the head's columns. Scratch holds shape().scratch floats for each token.
	advance(o tensor.Mat, in signals, head int, state, scratch []float32)
	// extra is the bytes and multiply-adds of a token in prepare.
	extra() (bytes, mulAdds int64)
}

// recurShape is the sizes of a recurrence: columns of the projections, and floats of a head.
type recurShape struct {
	heads         int
	q, k, v, rate int // columns that it reads, all heads together
	o             int // columns of the outputs of a head
	state         int // floats of a head
	scratch       int // floats of a head and token
}

// signals are what a recurrence reads of its tokens: views of projections, a row for each token.
type signals struct {
	q, k, v tensor.Mat
	rate    tensor.Mat // decays and writing strengths, before their activations
}

// slice returns the signals of rows from to to-1.
func (s signals) slice(from, to int) signals {
	return signals{s.q.Slice(from, to), s.k.Slice(from, to), s.v.Slice(from, to), s.rate.Slice(from, to)}
}

// plain is a recurrence whose heads need nothing done before.
type plain struct{}

func (plain) prepare(in signals, _ []Span, _ *tensor.Workspace) signals { return in }

func (plain) extra() (bytes, mulAdds int64) { return 0, 0 }

// headOf returns the columns of head h of those heads that lie side by side.
func headOf(x tensor.Mat, h, width int) tensor.Mat { return x.Columns(h*width, (h+1)*width) }

// recurTokens is how many tokens a head takes at a time, so that they stay in the first-level
// caches on the way from one step to the next.
const recurTokens = 64

// recurring is the task of a recurrence over some sequences.
type recurring struct {
	rec     Recurrence
	shape   recurShape
	jobs    []recurJob
	longest int
	scratch []float32
}

// recurJob is some tokens of one sequence, for all heads.
type recurJob struct {
	o     tensor.Mat // [n, H·O]
	in    signals
	state []float32 // [H, state]
}

// begin prepares the list of jobs.
func (t *recurring) begin(r Recurrence) {
	t.rec, t.shape, t.jobs, t.longest = r, r.shape(), t.jobs[:0], 0
}

// add lists the tokens of a sequence.
func (t *recurring) add(o tensor.Mat, in signals, state []float32) {
	if o.Rows > 0 {
		t.jobs = append(t.jobs, recurJob{o, in, state})
		t.longest = max(t.longest, o.Rows)
	}
}

// run runs the jobs, in parallel over sequences and heads.
func (t *recurring) run(ws *tensor.Workspace) {
	parts := len(t.jobs) * t.shape.heads
	t.scratch = ws.Floats(parts * t.partFloats())
	ws.Pool.Run(parts, t)
	clear(t.jobs)
	t.rec, t.jobs, t.scratch = nil, t.jobs[:0], nil
}

func (t *recurring) partFloats() int { return min(t.longest, recurTokens) * t.shape.scratch }

// Do runs one head of one job.
func (t *recurring) Do(i int) {
	j, h, n := &t.jobs[i/t.shape.heads], i%t.shape.heads, t.partFloats()
	state, scratch := j.state[h*t.shape.state:][:t.shape.state], t.scratch[i*n:][:n]
	o := j.o.Columns(h*t.shape.o, min((h+1)*t.shape.o, j.o.Cols))
	for from := 0; from < o.Rows; from += recurTokens {
		to := min(from+recurTokens, o.Rows)
		t.rec.advance(o.Slice(from, to), j.in.slice(from, to), h, state, scratch)
	}
}
