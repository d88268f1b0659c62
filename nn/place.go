package nn

import (
	"github.com/mminfer/mminfer/kernels/norm"
	"github.com/mminfer/mminfer/tensor"
)

// placing is the task that prepares the queries, keys and values of all rows and stores the keys
// and values at their positions.
type placing struct {
	q, k, v      tensor.Mat // [T, heads·dim]
	qNorm, kNorm Norm
	rope         *Rope
	dim          int // of the heads that are rotated

	parts []placePart
	sin   []float32 // [parts, pairs]
	cos   []float32
}

// placePart is some rows of a span.
type placePart struct {
	span     *Span
	from, to int
}

// placeRows is the most rows of a part.
const placeRows = 16

// place runs the task over all spans, whose caches then hold their rows.
func place(p placing, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	task := tensor.Local[placing](ws)
	p.parts = task.parts[:0]
	*task = p
	for i, s := range spans {
		s.State.KV.extend(s.To - s.From)
		for from := s.From; from < s.To; from += placeRows {
			task.parts = append(task.parts, placePart{&spans[i], from, min(from+placeRows, s.To)})
		}
	}
	if p.rope != nil {
		n := len(task.parts) * len(p.rope.inv)
		task.sin, task.cos = ws.Floats(n), ws.Floats(n)
	}
	ws.Pool.Run(len(task.parts), task)
	clear(task.parts)
	*task = placing{parts: task.parts}
	ws.Release(mark)
}

// Do places one part's rows.
func (t *placing) Do(i int) {
	p := t.parts[i]
	var sin, cos []float32
	if t.rope != nil {
		n := len(t.rope.inv)
		sin, cos = t.sin[i*n:(i+1)*n], t.cos[i*n:(i+1)*n]
	}
	for row := p.from; row < p.to; row++ {
		q, k, pos := t.q.Row(row), t.k.Row(row), p.span.Pos+row-p.span.From
		if t.qNorm.Weight != nil {
			norm.RMS(q, q, t.qNorm.Weight, t.qNorm.Eps)
		}
		if t.kNorm.Weight != nil {
			norm.RMS(k, k, t.kNorm.Weight, t.kNorm.Eps)
		}
		if t.rope != nil {
			t.rope.angles(sin, cos, pos)
			t.rope.rotate(q, t.dim, sin, cos)
			t.rope.rotate(k, t.dim, sin, cos)
		}
		p.span.State.KV.put(pos, k, t.v.Row(row))
	}
}
