package nn

import (
	"math"

	"github.com/mminfer/mminfer/tensor"
)

// recurrent makes the mixer of a recurrence, with a gate if after is an activation.
func recurrent(rec func(w *weights) Recurrence, after Activation) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		r := rec(w)
		s := r.shape()
		m := &Recurrent{Rec: r, Output: output(w, r, after), Rates: rates(w, s.rate)}
		rows := s.q + s.k + s.v
		if after == Sigmoid { // a gate of low rank
			m.Gate = Rates{Low: w.exact(3, w.width), High: w.exact(outputs(r), 3), Bias: w.vec(outputs(r))}
		} else if after != Identity {
			rows += outputs(r)
		}
		m.In = w.linear(rows, w.width)
		return m
	}
}

// outputs is the number of a recurrence's outputs.
func outputs(r Recurrence) int {
	if h, ok := r.(*HGRN); ok {
		return h.Channels
	}
	return r.shape().heads * r.shape().o
}

func output(w *weights, r Recurrence, after Activation) Output {
	n := outputs(r)
	o := Output{Norm: Norm{Weight: w.vec(n / r.shape().heads), Eps: 1e-5}, After: after, Proj: w.linear(w.width, n)}
	switch r.(type) {
	case *HGRN:
		o.Norm.Weight = w.vec(n)
	case *GSA:
		o.Before, o.Norm.Weight = SiLU, w.vec(n)
	}
	return o
}

// rates makes n rates, most of them of low rank if there are many.
func rates(w *weights, n int) Rates {
	switch {
	case n == 0:
		return Rates{}
	case n < 16:
		return Rates{Direct: w.exact(n, w.width)}
	}
	return Rates{Low: w.exact(5, w.width), High: w.exact(n-2, 5), Direct: w.exact(2, w.width), Bias: w.vec(n)}
}

// convs makes the short convolutions of queries, keys and values.
func convs(w *weights, taps, q, k, v, dimK, dimV int) [3]*ShortConv {
	return [3]*ShortConv{
		NewShortConv(w.vec(q*dimK*taps), dimK, taps), NewShortConv(w.vec(k*dimK*taps), dimK, taps), NewShortConv(w.vec(v*dimV*taps), dimV, taps),
	}
}

func linearAttn(m LinearAttn, kind MapKind) func(w *weights) Recurrence {
	return func(w *weights) Recurrence {
		m := m
		for _, f := range []**FeatureMap{&m.Query, &m.Key} {
			*f = &FeatureMap{Kind: kind, Act: ELUPlusOne}
			switch kind {
			case MapProduct:
				(*f).Proj, (*f).Bias = w.exact(2*m.KeyDim, m.KeyDim), w.vec(2*m.KeyDim)
			case MapHedgehog, MapT2R:
				(*f).Proj, (*f).Bias = w.exact(m.KeyDim, m.KeyDim), w.vec(m.KeyDim)
			}
		}
		return &m
	}
}

func retention(m Retention, rope bool) func(w *weights) Recurrence {
	return func(*weights) Recurrence {
		m := m
		m.Decay, m.Scale = RetentionDecays(m.Heads), invSqrt(m.KeyDim)
		if m.Decay = LightningDecays(m.Heads, 0.7); rope {
			m.Decay, m.Rope = RetentionDecays(m.Heads), NewRope(10000, m.KeyDim)
		}
		return &m
	}
}

func gla(m GLA, taps int) func(w *weights) Recurrence {
	return func(w *weights) Recurrence {
		m := m
		m.Normalizer = 16
		if taps > 0 {
			m.Conv = convs(w, taps, m.Heads, m.KVHeads, m.KVHeads, m.KeyDim, m.ValueDim)
		}
		return &m
	}
}

func deltaNet(m DeltaNet, taps int) func(w *weights) Recurrence {
	return func(w *weights) Recurrence {
		m := m
		if taps > 0 {
			m.Conv = convs(w, taps, m.Heads, m.Heads, m.Heads, m.KeyDim, m.ValueDim)
		}
		return &m
	}
}

func gatedDelta(m GatedDelta, taps int) func(w *weights) Recurrence {
	return func(w *weights) Recurrence {
		m := m
		if taps > 0 {
			m.Conv = convs(w, taps, m.KeyHeads, m.KeyHeads, m.Heads, m.KeyDim, m.ValueDim)
		}
		m.NegA, m.DtBias = NegExp(w.vec(m.Heads)), w.vec(m.Heads)
		return &m
	}
}

func kda(m KDA, taps int) func(w *weights) Recurrence {
	return func(w *weights) Recurrence {
		m := m
		if taps > 0 {
			m.Conv = convs(w, taps, m.KeyHeads, m.KeyHeads, m.Heads, m.KeyDim, m.ValueDim)
		}
		m.NegA, m.DtBias = NegExp(w.vec(m.Heads)), w.vec(m.Heads*m.KeyDim)
		return &m
	}
}

func gsa(m GSA, kind MapKind, taps int) func(w *weights) Recurrence {
	return func(w *weights) Recurrence {
		m := m
		m.Normalizer, m.Map = 8, &FeatureMap{Kind: kind, Act: SiLU}
		if kind == MapT2R {
			m.Map.Proj = w.exact(m.KeyDim, m.KeyDim)
		}
		if taps > 0 {
			m.Conv = convs(w, taps, m.Heads, m.KVHeads, m.KVHeads, m.KeyDim, m.ValueDim)
		}
		return &m
	}
}

func hgrn(m HGRN, taps int) func(w *weights) Recurrence {
	return func(w *weights) Recurrence {
		m := m
		if taps > 0 {
			m.Conv = [2]*ShortConv{NewShortConv(w.vec(m.Channels*taps), HGRNBlock, taps), NewShortConv(w.vec(m.Channels*taps), HGRNBlock, taps)}
			m.Lower = w.vec(m.Channels)
			Sigmoid.Apply(m.Lower)
		}
		return &m
	}
}

func hgrn2(m HGRN2, taps int) func(w *weights) Recurrence {
	return func(w *weights) Recurrence {
		m := m
		if taps > 0 {
			m.Conv = convs(w, taps, m.Heads, m.Heads, m.Heads, m.KeyDim, m.ValueDim)
			m.Lower = w.vec(m.Heads * m.KeyDim)
			Sigmoid.Apply(m.Lower)
		}
		return &m
	}
}

// noClamp is the clamp of decays that have none.
var noClamp = float32(math.Inf(-1))

// mom gives a mixture of a recurrence its weights.
func mom(m MoM, rec func(w *weights) Recurrence, gated bool) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		m := m
		m.Rec = rec(w)
		s, after := m.Rec.shape(), Identity
		common := s.q
		if m.Shared || m.OneKV {
			common, m.SharedRates = common+s.k+s.v, rates(w, s.rate)
		}
		if gated {
			common, after = common+outputs(m.Rec), SiLU
		}
		for range m.Memories {
			if !m.OneKV {
				m.Each = append(m.Each, Memory{KV: w.linear(s.k+s.v, w.width), Rates: rates(w, s.rate)})
			}
		}
		m.Router, m.Common, m.Output = w.exact(m.Memories, w.width), w.linear(common, w.width), output(w, m.Rec, after)
		return &m
	}
}

func lowRank(w *weights, n, rank int, act Activation) LowRank {
	return LowRank{Low: w.exact(rank, w.width), High: w.exact(n, rank), Act: act, Bias: w.vec(n)}
}

func rwkv6(m RWKV6) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		m, d, k, v := m, w.width, m.Heads*m.KeyDim, m.Heads*m.ValueDim
		m.Mu, m.Low, m.Decay, m.Bonus = w.vec(d), w.exact(5*3, d), lowRank(w, k, 4, Tanh), w.vec(k)
		for i := range m.High {
			m.High[i], m.MixBias[i] = w.exact(d, 3), w.vec(d)
		}
		m.Receptance, m.Key, m.Value, m.Gate, m.Out = w.linear(k, d), w.linear(k, d), w.linear(v, d), w.linear(v, d), w.linear(d, v)
		m.Norm = Norm{Weight: w.vec(v), Bias: w.vec(v), Eps: 1e-3, Layer: true}
		return &m
	}
}

// rwkv7 makes two layers that see the same input: the values of the second lean on the first's.
func rwkv7(m RWKV7) func(w *weights) Mixer {
	layer := func(w *weights, first bool) *RWKV7 {
		m, d := m, w.width
		m.First, m.L2Eps = first, 1e-6
		for i := range m.Mu {
			m.Mu[i] = w.vec(d)
		}
		m.Receptance, m.Key, m.Value, m.Out = w.linear(d, d), w.linear(d, d), w.linear(d, d), w.linear(d, d)
		m.Decay, m.Rate, m.Gate = lowRank(w, d, 4, Tanh), lowRank(w, d, 3, Identity), lowRank(w, d, 5, Sigmoid)
		m.Lean = lowRank(w, d, 2, Identity)
		m.KeyScale, m.KeyRate, m.Bonus = w.vec(d), w.vec(d), w.vec(d)
		m.Norm = Norm{Weight: w.vec(d), Bias: w.vec(d), Eps: 1e-3, Layer: true}
		return &m
	}
	return func(w *weights) Mixer { return layers{layer(w, true), layer(w, false)} }
}

func channelMix(receptance bool) func(w *weights) Mixer {
	return func(w *weights) Mixer {
		m := &ChannelMix{MuK: w.vec(w.width), Key: w.linear(50, w.width), Value: w.linear(w.width, 50)}
		if receptance {
			m.MuR, m.Receptance = w.vec(w.width), w.linear(w.width, w.width)
		}
		return m
	}
}

// layers is the sum of mixers whose states lie end to end.
type layers []Mixer

func (l layers) StateSpec() (s StateSpec) {
	for _, m := range l {
		s.Floats += m.StateSpec().Floats
	}
	return s
}

func (l layers) StepBytes() int64 { return 0 }

func (l layers) StepMulAdds() int64 { return 0 }

func (l layers) Mix(y, x tensor.Mat, spans []Span, ws *tensor.Workspace) {
	mark := ws.Mark()
	one, at := ws.Mat(y.Rows, y.Cols), 0
	work := tensor.Local[layersWork](ws)
	for i, m := range l {
		n := m.StateSpec().Floats
		work.spans = append(work.spans[:0], spans...)
		for j := range work.spans {
			work.spans[j].State.Floats = spans[j].State.Floats[at : at+n]
		}
		at += n
		if i == 0 {
			m.Mix(y, x, work.spans, ws)
			continue
		}
		m.Mix(one, x, work.spans, ws)
		add(y, one, ws)
	}
	ws.Release(mark)
}

type layersWork struct{ spans []Span }
