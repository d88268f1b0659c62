package nn

import (
	"slices"

	"github.com/mminfer/mminfer/kernels/gemm"
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

	parts  []placePart
	angles *angles
}

// placePart is some rows of a span, whose positions are in one panel of keys.
type placePart struct {
	span     *Span
	from, to int
}

// place runs the task over all spans, whose caches then hold their rows.
func place(p placing, spans []Span, ws *tensor.Workspace) {
	task := tensor.Local[placing](ws)
	p.parts = task.parts[:0]
	*task = p
	for i, s := range spans {
		s.State.KV.extend(s.To - s.From)
		for from := s.From; from < s.To; {
			to := min(s.To, from+gemm.Rows-(s.Pos+from-s.From)%gemm.Rows)
			task.parts = append(task.parts, placePart{&spans[i], from, to})
			from = to
		}
	}
	if p.rope != nil {
		task.angles = anglesOf(p.rope, spans, p.q.Rows, ws)
	}
	ws.Pool.Run(len(task.parts), task)
	if p.rope != nil {
		task.angles.known = true
	}
	clear(task.parts)
	*task = placing{parts: task.parts}
}

// Do places one part's rows.
func (t *placing) Do(i int) {
	p := t.parts[i]
	pos := p.span.Pos + p.from - p.span.From
	for row := p.from; row < p.to; row++ {
		q, k := t.q.Row(row), t.k.Row(row)
		if t.qNorm.Weight != nil {
			norm.RMS(q, q, t.qNorm.Weight, t.qNorm.Eps)
		}
		if t.kNorm.Weight != nil {
			norm.RMS(k, k, t.kNorm.Weight, t.kNorm.Eps)
		}
		if t.rope != nil {
			sin, cos := t.angles.at(t.rope, row, pos+row-p.from)
			t.rope.rotate(q, t.dim, sin, cos)
			t.rope.rotate(k, t.dim, sin, cos)
		}
	}
	p.span.State.KV.put(pos, t.k.Slice(p.from, p.to), t.v.Slice(p.from, p.to))
}

// angles are the sines and cosines of the rows of a pass, [T, pairs], which its layers share.
type angles struct {
	rope      Rope
	positions []int // of the rows
	sin, cos  []float32
	known     bool // they are computed already
}

// anglesOf returns those of a rotation for the rows of the spans: known ones, or room for them.
func anglesOf(r *Rope, spans []Span, rows int, ws *tensor.Workspace) *angles {
	a := tensor.Local[angles](ws)
	a.known = a.known && a.rope.factor == r.factor && slices.Equal(a.rope.inv, r.inv) && len(a.positions) == rows
	for _, s := range spans {
		for row := s.From; a.known && row < s.To; row++ {
			a.known = a.positions[row] == s.Pos+row-s.From
		}
	}
	if a.known {
		return a
	}
	n := rows * len(r.inv)
	a.rope.factor, a.rope.inv = r.factor, append(a.rope.inv[:0], r.inv...)
	a.positions = slices.Grow(a.positions[:0], rows)[:rows]
	a.sin, a.cos = slices.Grow(a.sin[:0], n)[:n], slices.Grow(a.cos[:0], n)[:n]
	return a
}

// at returns the sines and cosines of a row.
func (a *angles) at(r *Rope, row, pos int) (sin, cos []float32) {
	n := len(r.inv)
	sin, cos = a.sin[row*n:(row+1)*n], a.cos[row*n:(row+1)*n]
	if !a.known {
		a.positions[row] = pos
		r.angles(sin, cos, pos)
	}
	return sin, cos
}
