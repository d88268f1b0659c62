package nn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/scan"
	"github.com/mminfer/mminfer/tensor"
)

// GroupedSSD is Mamba-2 in the shape of an attention with grouped keys: query head h has a state S
// of its own and reads values and keys of head h·KVHeads/Heads.
//
//	[v|k|q|g] = In u;  v, k, q = SiLU(conv);  Δ = softplus(Delta u + DtBias)
//	S ← e^(Δ·A)·S + k (Δ·v)ᵀ;  y = Sᵀ·q;  Out(Norm(y) · SiLU(g))
//
// Values take the place of Mamba-2's inputs, keys and queries those of B and C; there is no skip.
// The norm is of each head.
//
// Source: Liao et al. 2025, arXiv:2502.13145, section 3.1; Mamba2 in hustvl/mmMamba@85143d0,
// src/model/linear_attention/mamba2.py.
type GroupedSSD struct {
	Heads, KVHeads, Dim int // H, G, width of every head's queries, keys and values

	In     *Linear // [(2·G+2·H)·Dim, D]: values, keys, queries, gates
	Delta  *Linear // [H, D]
	Conv   *ChannelConv
	DtBias []float32 // [H]
	NegA   []float32 // -exp(A_log), [H]
	Norm   Norm      // Weight [H·Dim]
	Out    *Linear   // [D, H·Dim]
}

// mixed is what passes through the convolution.
func (m *GroupedSSD) mixed() int { return (2*m.KVHeads + m.Heads) * m.Dim }

func (m *GroupedSSD) states() int { return m.Heads * scan.StateLen(m.Dim, m.Dim) }

// StateSpec asks for every head's S, then the convolution's history.
func (m *GroupedSSD) StateSpec() StateSpec { return StateSpec{Floats: m.states() + m.Conv.floats()} }

// StepBytes counts the projections and the state.
func (m *GroupedSSD) StepBytes() int64 {
	return m.In.W.Bytes() + m.Delta.W.Bytes() + m.Out.W.Bytes() + 2*4*int64(m.StateSpec().Floats)
}

// StepMulAdds counts the projections.
func (m *GroupedSSD) StepMulAdds() int64 {
	return m.In.elements() + m.Delta.elements() + m.Out.elements()
}

// Mix computes y from x, [T, D].
func (m *GroupedSSD) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	t := tensor.Local[groupedSSD](ws)
	h, dt := ws.Mat(x.Rows, m.In.W.Rows), ws.Mat(x.Rows, m.Heads)
	t.products = append(t.products[:0], tensor.Product{Dst: h, X: x, W: m.In.W}, tensor.Product{Dst: dt, X: x, W: m.Delta.W})
	tensor.MatMulAll(ws, t.products)
	u := ws.Mat(x.Rows, m.mixed())
	m.Conv.apply(u, h.Columns(0, u.Cols), spans, m.states(), ws)
	t.m, t.spans, t.u, t.dt, t.decay = m, spans, u, dt, ws.Mat(x.Rows, m.Heads)
	stepRates(t.dt, t.decay, m.DtBias, m.NegA, 0, math.MaxFloat32)
	t.y, t.none = ws.Mat(x.Rows, m.Heads*m.Dim), ws.Floats(m.Dim)
	clear(t.none)
	n := len(spans) * m.Heads
	t.units = units{n, grain(n, x.Rows*t.y.Cols*m.Dim)}
	ws.Pool.Run(t.parts(), t)
	rowwise(ws, rows{op: opGatedRMS, dst: t.y, a: h.Columns(u.Cols, h.Cols), weight: m.Norm.Weight, eps: m.Norm.Eps, groups: m.Heads, first: true})
	m.Out.Mul(y, t.y, ws)
	clear(t.products)
	*t = groupedSSD{products: t.products[:0]}
	ws.Release(mark)
}

// groupedSSD is the work of one Mix: the task of its recurrences, in which a unit is a head of a
// sequence.
type groupedSSD struct {
	units
	m         *GroupedSSD
	spans     []Span
	u         tensor.Mat // values and keys [T, G·Dim], queries [T, H·Dim]
	y         tensor.Mat // [T, H·Dim]
	dt, decay tensor.Mat // [T, H]
	none      []float32  // zeros in place of a skip, [Dim]

	products []tensor.Product
}

// Do runs one part.
func (t *groupedSSD) Do(part int) {
	lo, hi := t.part(part)
	for k := lo; k < hi; k++ {
		t.head(&t.spans[k/t.m.Heads], k%t.m.Heads)
	}
}

// head runs one head over a span's tokens.
func (t *groupedSSD) head(s *Span, h int) {
	m := t.m
	kv, size := h*m.KVHeads/m.Heads, scan.StateLen(m.Dim, m.Dim)
	u, y := t.u.Slice(s.From, s.To), headOf(t.y.Slice(s.From, s.To), h, m.Dim)
	v, k, q := headOf(u, kv, m.Dim), headOf(u, m.KVHeads+kv, m.Dim), headOf(u, 2*m.KVHeads+h, m.Dim)
	dt, decay := headOf(t.dt.Slice(s.From, s.To), h, 1), headOf(t.decay.Slice(s.From, s.To), h, 1)
	scan.SSDScan(&scan.SSD{
		Y: y.Data, X: v.Data, B: k.Data, C: q.Data, YStride: y.Stride, XStride: v.Stride, BStride: k.Stride, CStride: q.Stride,
		Dt: dt.Data, DtStride: dt.Stride, Decay: decay.Data, DecayStride: decay.Stride,
		D: t.none, S: s.State.Floats[h*size : (h+1)*size],
		Tokens: u.Rows, P: m.Dim, N: m.Dim,
	})
}
