package net

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// attention is the attention of pixels in UNet2DModel and AutoencoderKL: x ← (x + attention(norm x))/scale.
//
// Source: Attention with residual_connection, models/attention_processor.py in huggingface/diffusers 0.42.
type attention struct {
	nn.FullAttention
	norm  *nn.GroupNorm // nil without
	qkv   *nn.Linear    // [3·C, C]
	out   *nn.Linear    // [C, C]
	scale float32       // 0 for 1
}

// newAttention takes an attention of heads of so many columns, 0 for one head of all. Some checkpoints have no norm.
func newAttention(p nn.Params, channels, headDim int, o resnetOptions) *attention {
	if headDim == 0 {
		headDim = channels
	}
	a := &attention{
		FullAttention: nn.FullAttention{Heads: channels / headDim, Dim: headDim},
		qkv:           stacked(p, channels, channels, true, "to_q", "to_k", "to_v"),
		out:           linear(p, "to_out.0", channels, channels, true), scale: float32(o.scale),
	}
	if !o.scaleShift || p.Has("group_norm.weight") {
		a.norm = groupNorm(p, "group_norm", channels, o.groups, o.eps)
	}
	return a
}

func (a *attention) apply(r *run, x nn.Image, _ *Context) {
	mark := r.ws.Mark()
	h := x
	if a.norm != nil {
		h = r.like(x, x.Cols)
		a.norm.Apply(h, x, nn.Identity, tensor.Mat{}, tensor.Mat{}, r.ws)
	}
	o := r.attendSelf(a.FullAttention, a.qkv, h.Mat, x.N)
	a.out.Project(x.Mat, o, x.Mat, r.ws)
	if a.norm != nil {
		r.release(h)
	}
	if a.scale != 0 && a.scale != 1 {
		nn.Scale(x.Mat, 1/a.scale, x.Mat, r.ws)
	}
	r.ws.Release(mark)
}

// attendSelf returns the attention of x to itself, n samples, in the workspace.
func (r *run) attendSelf(a nn.FullAttention, qkv *nn.Linear, x tensor.Mat, n int) tensor.Mat {
	width := a.Heads * a.Dim
	o := r.ws.Mat(x.Rows, width)
	r.together(x.Rows, n, func(samples, rows span) {
		x, o := x.Slice(rows.from, rows.to), o.Slice(rows.from, rows.to)
		h := r.ws.Mat(x.Rows, 3*width)
		qkv.Project(h, x, tensor.Mat{}, r.ws)
		caches := r.cachesFor(a, samples.to-samples.from)
		a.Fill(caches, h.Columns(width, 2*width), h.Columns(2*width, 3*width), r.ws)
		a.Attend(o, h.Columns(0, width), caches, r.ws)
	})
	return o
}

// span is what lies from one number to before another.
type span struct{ from, to int }

// attendRows bounds the rows of an attention that are computed together, one sample's at least: they are enough for all
// threads, and memory does not grow with the samples.
const attendRows = 4096

// together calls f for some of n samples at a time, which have rows in all. What f takes from the workspace is given back.
func (r *run) together(rows, n int, f func(samples, rows span)) {
	each := rows / n
	step := max(1, attendRows/each)
	for from := 0; from < n; from += step {
		to := min(from+step, n)
		mark := r.ws.Mark()
		f(span{from, to}, span{from * each, to * each})
		r.ws.Release(mark)
	}
}
