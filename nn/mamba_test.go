package nn

import (
	"slices"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// mamba gives a Mamba-1 layer its weights.
func mamba(m Mamba, taps int, norms bool) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		m, e := m, m.Channels
		m.In, m.Out = w.linear(2*e, w.width), w.linear(w.width, e)
		m.Conv = NewChannelConv(w.vec(e*taps), w.vec(e), taps)
		m.Select, m.Delta, m.DtBias = w.exact(m.Rank+2*m.N, e), w.exact(e, m.Rank), w.vec(e)
		m.A, m.D = MambaRates(w.vec(e*m.N), m.N), w.vec(e)
		if norms {
			m.Norms = [3]Norm{weighted(m.Rank), weighted(m.N), weighted(m.N)}
		}
		return &m
	}
}

// mamba2 gives a Mamba-2 layer its weights.
func mamba2(m Mamba2, taps int, norm, scaled bool) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		m, e := m, m.Heads*m.HeadDim
		mixed := e + 2*m.Groups*m.N
		m.In, m.Delta, m.Out = w.linear(e+mixed, w.width), w.exact(m.Heads, w.width), w.linear(w.width, e)
		m.Conv = NewChannelConv(w.vec(mixed*taps), nil, taps)
		m.DtBias, m.NegA, m.D = w.vec(m.Heads), NegExp(w.vec(m.Heads)), w.vec(e)
		if norm {
			m.Norm = Norm{Weight: w.vec(e), Eps: 1e-5}
		}
		if scaled {
			m.Scale = w.vec(e + mixed + m.Heads)
			m.In.Bias, m.Delta.Bias = w.vec(e+mixed), w.vec(m.Heads)
		}
		return &m
	}
}

// TestMamba2Bias moves the bias of the time steps from the layer's own to the projection's, where
// it means the same, and sets factors of 1.
func TestMamba2Bias(t *testing.T) {
	w := newWeights(6)
	m := mamba2(Mamba2{Heads: 4, HeadDim: 3, Groups: 2, N: 5, DtMin: 0.2, DtMax: 1.5}, 3, true, false)(w).(*Mamba2)
	w.p.Load(&w.arena, nil, nil)
	x := tensor.NewMat(9, 6)
	copy(x.Data, gaussian(w.rng, len(x.Data), 1))
	want := feed(m, new(tensor.Workspace), piece{newTimeline(m), x})[0]
	m.Delta.Bias, m.DtBias = m.DtBias, make([]float32, m.Heads)
	m.In.Bias = make([]float32, m.In.W.Rows)
	m.Scale = slices.Repeat([]float32{1}, m.In.W.Rows+m.Heads)
	got := feed(m, new(tensor.Workspace), piece{newTimeline(m), x})[0]
	same(t, "with the bias elsewhere", got, want)
	m.Scale[m.In.W.Rows] = 2
	if got = feed(m, new(tensor.Workspace), piece{newTimeline(m), x})[0]; slices.Equal(got, want) {
		t.Error("a factor changes nothing")
	}
}

// parallel gives a state space beside an attention their weights.
func parallel(w *weights) Mixer {
	return Parallel{
		{mamba2(Mamba2{Heads: 3, HeadDim: 8, Groups: 1, N: 5, DtMax: 1e30}, 4, true, false)(w), 1.25, 0.7},
		{attention(Attention{Heads: 2, KVHeads: 1, Dim: 10}, true)(w), 1, 0.9},
		{mamba(Mamba{Channels: 20, N: 4, Rank: 2}, 3, false)(w), 0.8, 1},
	}
}

// zamba gives a hybrid layer of Zamba2 its weights.
func zamba(w *weights) Mixer {
	const inner, rank = 22, 3
	d := w.width
	a := &Attention{Heads: 2, KVHeads: 2, Dim: 8, Rope: NewRope(10000, 8), QKV: w.linear(48, 2*d), Out: w.linear(d, 16)}
	a.Adapter = &Adapter{Down: w.linear(3*rank, 2*d), Up: []*Linear{w.linear(16, rank), w.linear(16, rank), w.linear(16, rank)}}
	return widened{&Zamba{
		Norm: weighted(2 * d), Attention: a, MLPNorm: weighted(d),
		GateUp: w.linear(2*inner, d), Adapter: &Adapter{Down: w.linear(rank, d), Up: []*Linear{w.linear(2*inner, rank)}},
		Down: w.linear(d, inner), Linear: w.linear(d, d), MambaNorm: weighted(d),
		Mamba: mamba2(Mamba2{Heads: 4, HeadDim: 6, Groups: 2, N: 5, DtMax: 1e30}, 4, true, false)(w).(*Mamba2),
	}}
}

// widened is a mixer of a block that embeds, with the input in the place of the embeddings.
type widened struct{ Mixer }

func (m widened) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	u := ws.Mat(x.Rows, 2*x.Cols)
	for i := range x.Rows {
		copy(u.Row(i), x.Row(i))
		copy(u.Row(i)[x.Cols:], x.Row(i))
	}
	m.Mixer.Mix(y, u, spans, ws)
	ws.Release(mark)
}
