package nn

import (
	"math"

	"github.com/mminfer/mminfer/tensor"
)

// Attention is causal softmax attention with grouped keys: query head h reads key head
// h·KVHeads/Heads. A window of w positions shows a query itself and w-1 before it.
//
// Source: Ainslie et al. 2023, arXiv:2305.13245 (grouped queries); the online softmax over blocks
// is Milakov and Gimelshein 2018, arXiv:1805.02867.
type Attention struct {
	Heads, KVHeads, Dim int
	Window              int     // 0 for none
	Scale               float32 // of the scores, 0 for Dim^-½
	Rope                *Rope   // nil for no positions
	QNorm, KNorm        Norm    // before the rotation, of every head or of all of a row
	// QKV projects to queries, keys and values, [(Heads+2·KVHeads)·Dim, D], and, where Gated, to the
	// output's gates, [Heads·Dim] more rows.
	QKV        *Linear
	Adapter    *Adapter // of QKV
	Gated      bool     // the output is multiplied by σ(gate)
	Out        *Linear  // [D, Heads·Dim]
	OutAdapter *Adapter // of Out
}

// StateSpec asks for keys and values.
func (a *Attention) StateSpec() StateSpec {
	return StateSpec{KV: KVSpec{Heads: a.KVHeads, KeyDim: a.Dim, ValueDim: a.Dim, Window: a.Window}}
}

// StepBytes counts the projections.
func (a *Attention) StepBytes() int64 {
	n := a.QKV.bytes() + a.Out.bytes()
	a.Adapter.each(func(l *Linear) { n += l.bytes() })
	a.OutAdapter.each(func(l *Linear) { n += l.bytes() })
	return n
}

// StepMulAdds counts the projections.
func (a *Attention) StepMulAdds() int64 {
	n := a.QKV.elements() + a.Out.elements()
	a.Adapter.each(func(l *Linear) { n += l.elements() })
	a.OutAdapter.each(func(l *Linear) { n += l.elements() })
	return n
}

// Mix attends from every row of x to its sequence's past, [T, D].
func (a *Attention) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	h := a.QKV.Out(x, ws)
	a.Adapter.add(h, x, ws)
	q := h.Columns(0, a.Heads*a.Dim)
	k := h.Columns(q.Cols, q.Cols+a.KVHeads*a.Dim)
	v := h.Columns(q.Cols+k.Cols, q.Cols+2*k.Cols)
	place(placing{q: q, k: k, v: v, qNorm: a.QNorm, kNorm: a.KNorm, rope: a.Rope, dim: a.Dim}, spans, ws)
	o := ws.Mat(x.Rows, q.Cols)
	attend(heads{Heads: a.Heads, KVHeads: a.KVHeads, KeyDim: a.Dim, ValueDim: a.Dim, Window: a.Window, Scale: a.scale()}, o, q, spans, ws)
	for _, s := range spans {
		s.State.KV.slide()
	}
	if a.Gated {
		sigmoidMul(o, h.Columns(q.Cols+2*k.Cols, h.Cols), ws)
	}
	a.Out.Mul(y, o, ws)
	a.OutAdapter.add(y, o, ws)
	ws.Release(mark)
}

func (a *Attention) scale() float32 {
	if a.Scale != 0 {
		return a.Scale
	}
	return float32(1 / math.Sqrt(float64(a.Dim)))
}

// heads are the sizes of an attention.
type heads struct {
	Heads, KVHeads   int
	KeyDim, ValueDim int
	Window           int
	Scale            float32 // of the scores
	Full             bool    // every row sees all positions of its cache
}
