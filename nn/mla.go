package nn

import (
	"math"

	"github.com/mminfer/mminfer/tensor"
)

// MLA is multi-head latent attention without positions: all heads share a latent vector c, from
// which each makes its keys and values, and a part of the key. Only c and that part are kept. With
// q = [q₁, q₂] of a head, its scores are q₁ᵀ·K·c + q₂ᵀ·shared = (Kᵀq₁)ᵀ·c + q₂ᵀ·shared, and its
// output V·Σ p·c: the heads are queries of one key head, whatever the number of tokens.
//
// Source: DeepSeek-AI 2024, arXiv:2405.04434, section 2.1; without rotation as in Kimi Linear,
// arXiv:2510.26692.
type MLA struct {
	Heads     int
	NopeDim   int       // of a head's keys that the latent gives
	SharedDim int       // of those that all heads share
	ValueDim  int       // of a head
	Rank      int       // of the latent
	Q         *Linear   // [Heads·(NopeDim+SharedDim), D]
	Latent    *Linear   // [Rank+SharedDim, D]: the latent, then the shared part
	Norm      Norm      // of the latent
	Keys      []*Linear // Kᵀ [Rank, NopeDim] of every head
	Values    []*Linear // V [ValueDim, Rank] of every head
	Out       *Linear   // [D, Heads·ValueDim]
}

// StateSpec asks for one key head: the latent and the shared part as its key, the latent as its value.
func (m *MLA) StateSpec() StateSpec {
	return StateSpec{KV: KVSpec{Heads: 1, KeyDim: m.Rank + m.SharedDim, ValueDim: m.Rank}}
}

// linears calls f for every matrix.
func (m *MLA) linears(f func(l *Linear)) {
	f(m.Q)
	f(m.Latent)
	f(m.Out)
	for h := range m.Heads {
		f(m.Keys[h])
		f(m.Values[h])
	}
}

// StepBytes counts the projections.
func (m *MLA) StepBytes() (n int64) {
	m.linears(func(l *Linear) { n += l.W.Bytes() })
	return n
}

// StepMulAdds counts the projections.
func (m *MLA) StepMulAdds() (n int64) {
	m.linears(func(l *Linear) { n += l.elements() })
	return n
}

// latents is what a Mix keeps from call to call.
type latents struct{ products []tensor.Product }

// Mix attends from every row of x to its sequence's past, [T, D].
func (m *MLA) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	work := tensor.Local[latents](ws)
	key := m.Rank + m.SharedDim
	q, c := ws.Mat(x.Rows, m.Q.W.Rows), ws.Mat(x.Rows, key)
	work.products = append(work.products[:0], tensor.Product{Dst: q, X: x, W: m.Q.W}, tensor.Product{Dst: c, X: x, W: m.Latent.W})
	tensor.MatMulAll(ws, work.products)
	latent := c.Columns(0, m.Rank)
	m.Norm.Apply(latent, latent, ws)

	queries, o := ws.Mat(x.Rows, m.Heads*key), ws.Mat(x.Rows, m.Heads*m.Rank)
	work.products = work.products[:0]
	for h := range m.Heads {
		head := headOf(q, h, m.NopeDim+m.SharedDim)
		to := headOf(queries, h, key)
		work.products = append(work.products, tensor.Product{Dst: to.Columns(0, m.Rank), X: head.Columns(0, m.NopeDim), W: m.Keys[h].W})
		for i := range x.Rows {
			copy(to.Row(i)[m.Rank:], head.Row(i)[m.NopeDim:])
		}
	}
	tensor.MatMulAll(ws, work.products)
	place(placing{q: queries, k: c, v: latent}, spans, ws)
	scale := float32(1 / math.Sqrt(float64(m.NopeDim+m.SharedDim)))
	attend(heads{Heads: m.Heads, KVHeads: 1, KeyDim: key, ValueDim: m.Rank, Scale: scale}, o, queries, spans, ws)

	values := ws.Mat(x.Rows, m.Heads*m.ValueDim)
	work.products = work.products[:0]
	for h := range m.Heads {
		work.products = append(work.products, tensor.Product{Dst: headOf(values, h, m.ValueDim), X: headOf(o, h, m.Rank), W: m.Values[h].W})
	}
	tensor.MatMulAll(ws, work.products)
	clear(work.products)
	m.Out.Mul(y, values, ws)
	ws.Release(mark)
}
