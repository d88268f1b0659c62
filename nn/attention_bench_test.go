package nn

import (
	"fmt"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// BenchmarkAttend measures attention alone: a token at depth, several layers whose caches together
// exceed the processor's.
func BenchmarkAttend(b *testing.B) {
	for _, c := range []heads{{Heads: 9, KVHeads: 3, KeyDim: 64, ValueDim: 64, Scale: 0.125}, {Heads: 16, KVHeads: 8, KeyDim: 128, ValueDim: 128, Scale: 0.1}, {Heads: 32, KVHeads: 8, KeyDim: 128, ValueDim: 128, Scale: 0.1}} {
		for _, f := range []tensor.Format{tensor.FormatF32, tensor.FormatF16, tensor.FormatQ8} {
			b.Run(fmt.Sprintf("heads=%d/%d/dim=%d/kv=%v", c.Heads, c.KVHeads, c.KeyDim, f), func(b *testing.B) { benchAttend(b, c, f) })
		}
	}
}

func benchAttend(b *testing.B, c heads, f tensor.Format) {
	const depth, layers = 8192, 8
	w := newWeights(1)
	k := gaussian(w.rng, c.KVHeads*c.KeyDim, 1)
	spans := make([]Span, layers)
	var bytes int64
	for i := range spans {
		kv := NewKV(KVSpec{Heads: c.KVHeads, KeyDim: c.KeyDim, ValueDim: c.ValueDim, Format: f})
		for range depth {
			kv.Append(k, k)
		}
		spans[i] = Span{From: 0, To: 1, Pos: depth - 1, State: State{KV: kv}}
		bytes += kv.Bytes()
	}
	q, o := tensor.NewMat(1, c.Heads*c.KeyDim), tensor.NewMat(1, c.Heads*c.ValueDim)
	copy(q.Data, gaussian(w.rng, len(q.Data), 1))
	ws := new(tensor.Workspace)
	b.SetBytes(bytes)
	for b.Loop() {
		for i := range spans {
			attend(c, o, q, spans[i:i+1], ws)
		}
	}
}
