package nn

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// groupedScan gives a grouped state-space layer its weights.
func groupedScan(m GroupedSSD) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		m := m
		inner := m.Heads * m.Dim
		m.In, m.Delta, m.Out = w.linear(m.mixed()+inner, w.width), w.exact(m.Heads, w.width), w.linear(w.width, inner)
		m.Conv = NewChannelConv(w.vec(m.mixed()*2), w.vec(m.mixed()), 2)
		m.DtBias, m.NegA, m.Norm = w.vec(m.Heads), NegExp(w.vec(m.Heads)), Norm{Weight: w.vec(inner), Eps: 1e-5}
		return &m
	}
}

// TestGroupedSSD: where every head has values and keys of its own it is a Mamba-2 without a skip,
// whose projections come in another order.
func TestGroupedSSD(t *testing.T) {
	const d, heads, dim, e = 12, 3, 5, 15
	w := newWeights(d)
	in, delta, out := w.p.Tensor(w.add(4*e, d), 4*e, d), w.exact(heads, d), w.linear(d, e)
	filters, bias := w.vec(3*e*2), w.vec(3*e)
	g := &GroupedSSD{
		Heads: heads, KVHeads: heads, Dim: dim, In: w.p.Linear(in), Delta: delta, Out: out,
		Conv: NewChannelConv(filters, bias, 2), DtBias: w.vec(heads), NegA: NegExp(w.vec(heads)), Norm: Norm{Weight: w.vec(e), Eps: 1e-5},
	}
	m := &Mamba2{
		Heads: heads, HeadDim: dim, Groups: heads, N: dim, In: w.p.Linear(in.Rows(3*e, 4*e), in.Rows(0, 3*e)), Delta: delta, Out: out,
		Conv: g.Conv, DtBias: g.DtBias, DtMax: math.MaxFloat32, NegA: g.NegA, D: make([]float32, e), Norm: g.Norm, NormFirst: true,
	}
	w.p.Load(&w.arena, nil, nil)
	x := tensor.NewMat(20, d)
	copy(x.Data, gaussian(w.rng, len(x.Data), 1))
	a, b := newTimeline(g), newTimeline(m)
	same(t, "outputs", feed(g, new(tensor.Workspace), piece{a, x})[0], feed(m, new(tensor.Workspace), piece{b, x})[0])
	same(t, "states", a.numbers(), b.numbers())
}
