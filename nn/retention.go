package nn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/attn"
	"github.com/mminfer/mminfer/kernels/linattn"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// Retention is linear attention with a constant decay for each query head, S ← γ·S + k·vᵀ:
// retention, and lightning attention with other decays and no rotation. Query head h reads key
// head h·KVHeads/Heads.
//
// Sources: Sun et al. 2023, arXiv:2307.08621, section 2.1; Qin et al. 2024, arXiv:2401.04658.
type Retention struct {
	plain
	Heads, KVHeads, KeyDim, ValueDim int
	Decay                            []float32  // γ, [Heads]: of [RetentionDecays] or [LightningDecays]
	Scale                            float32    // of the outputs
	Act                              Activation // of queries and keys, before they are rotated
	ValueAct                         Activation // of values
	Rope                             *Rope      // nil for no positions
}

// RetentionDecays returns γ = 1 - 2^(-5-h) for each head.
func RetentionDecays(heads int) []float32 {
	d := make([]float32, heads)
	for h := range d {
		d[h] = float32(1 - math.Ldexp(1, -5-h))
	}
	return d
}

// LightningDecays returns γ = e^(-2^(-8(h+1)/H)·factor) for each head, the slopes of ALiBi.
func LightningDecays(heads int, factor float64) []float32 {
	d := make([]float32, heads)
	powers := make([]float64, heads) // 256^(-h/H), the same numbers on every machine
	attn.Frequencies(powers, 256, 2*heads)
	for h := range d {
		slope := 1.0 / 256
		if h+1 < heads {
			slope = powers[h+1]
		}
		d[h] = float32(-float64(slope * factor))
	}
	vec.Exp(d, d)
	return d
}

func (m *Retention) shape() recurShape {
	return recurShape{
		heads: m.Heads, q: m.Heads * m.KeyDim, k: m.KVHeads * m.KeyDim, v: m.KVHeads * m.ValueDim, o: m.ValueDim,
		state: m.KeyDim * m.ValueDim,
	}
}

// prepare activates queries, keys and values and rotates the first two, in place.
func (m *Retention) prepare(in signals, spans []Span, ws *tensor.Workspace) signals {
	for _, x := range []tensor.Mat{in.q, in.k} {
		if m.Act != Identity {
			rowwise(ws, rows{op: opActivate, dst: x, act: m.Act})
		}
		for _, s := range spans {
			if m.Rope != nil {
				m.Rope.Apply(x.Slice(s.From, s.To), m.KeyDim, s.Pos, ws)
			}
		}
	}
	if m.ValueAct != Identity {
		rowwise(ws, rows{op: opActivate, dst: in.v, act: m.ValueAct})
	}
	return in
}

func (m *Retention) advance(o tensor.Mat, in signals, head int, state, _ []float32) {
	kv := head * m.KVHeads / m.Heads
	q, k, v := headOf(in.q, head, m.KeyDim), headOf(in.k, kv, m.KeyDim), headOf(in.v, kv, m.ValueDim)
	r := linattn.Recurrence{
		O: o.Data, Q: q.Data, K: k.Data, V: v.Data, OStride: o.Stride, QStride: q.Stride, KStride: k.Stride, VStride: v.Stride,
		Decay: m.Decay[head : head+1], S: state, SStride: m.ValueDim,
		Tokens: o.Rows, KDim: m.KeyDim, VDim: m.ValueDim, Scale: m.Scale,
	}
	linattn.Recur(&r)
}
