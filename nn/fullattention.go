package nn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/tensor"
)

// FullAttention is softmax attention without a mask: every query sees all positions of its sample's cache,
// which come from the same rows or from others. It walks them as [Attention] does, in the same blocks.
//
// Source: Vaswani et al. 2017, arXiv:1706.03762.
type FullAttention struct {
	Heads, Dim int // Dim columns each
}

// NewCaches returns n empty caches for the keys and values of as many samples.
func (a FullAttention) NewCaches(n int) []*KV {
	caches := make([]*KV, n)
	for i := range caches {
		caches[i] = NewKV(KVSpec{Heads: a.Heads, KeyDim: a.Dim, ValueDim: a.Dim})
	}
	return caches
}

// Fill replaces what the caches hold by keys and values, each [T, Heads·Dim]: T/len(caches) rows for each.
func (a FullAttention) Fill(caches []*KV, k, v tensor.Mat, ws *tensor.Workspace) {
	t := tensor.Local[filling](ws)
	n := k.Rows / len(caches)
	*t = filling{units: units{k.Rows, max(1, floatsPerPart/4/max(k.Cols, 1))}, caches: caches, k: k, v: v, rows: n}
	for _, kv := range caches {
		kv.len = 0
		kv.extend(n)
	}
	ws.Pool.Run(t.parts(), t)
	*t = filling{}
}

// filling is the task of Fill: a unit is a row.
type filling struct {
	units
	caches []*KV
	k, v   tensor.Mat
	rows   int // of a cache
}

// Do runs one part.
func (t *filling) Do(part int) {
	for from, to := t.part(part); from < to; {
		pos := from % t.rows
		next := min(to, from+gemm.Rows-pos%gemm.Rows, from-pos+t.rows)
		t.caches[from/t.rows].put(pos, t.k.Slice(from, next), t.v.Slice(from, next))
		from = next
	}
}

// Attend computes o = softmax(q·kᵀ/√Dim)·v head by head, o and q [T, Heads·Dim]: T/len(caches) rows for each cache.
func (a FullAttention) Attend(o, q tensor.Mat, caches []*KV, ws *tensor.Workspace) {
	t := tensor.Local[spanning](ws)
	n := q.Rows / len(caches)
	t.spans = t.spans[:0]
	for i, kv := range caches {
		t.spans = append(t.spans, Span{From: i * n, To: (i + 1) * n, State: State{KV: kv}})
	}
	mark := ws.Mark()
	scale := float32(1 / math.Sqrt(float64(a.Dim)))
	attend(heads{Heads: a.Heads, KVHeads: a.Heads, KeyDim: a.Dim, ValueDim: a.Dim, Scale: scale, Full: true}, o, q, t.spans, ws)
	ws.Release(mark)
	clear(t.spans)
	t.spans = t.spans[:0]
}

// spanning is what Attend keeps from call to call.
type spanning struct{ spans []Span }
