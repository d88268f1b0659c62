package net

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// transformer is diffusers' Transformer2DModel of Stable Diffusion: blocks between two projections, beside
// the image.
//
// Source: models/transformers/transformer_2d.py in huggingface/diffusers 0.42.
type transformer struct {
	norm    *nn.GroupNorm
	in, out *nn.Linear // [C, C]
	blocks  []*transformerBlock
}

// transformerBlock attends to the pixels, then to the context, then passes a network.
//
// Source: BasicTransformerBlock, models/attention.py in huggingface/diffusers 0.42.
type transformerBlock struct {
	nn.FullAttention
	norm1, norm2, norm3 nn.Norm
	qkv, out            *nn.Linear // of the pixels' attention to themselves
	query, kv, crossOut *nn.Linear // of their attention to the context; kv [2·C, ContextDim]
	cross               int        // the number of this attention in a Context
	up, down            *nn.Linear // [8·C, C]: values, then gates; [C, 4·C]
}

const (
	transformerEps = 1e-6 // of the norm before the blocks
	blockEps       = 1e-5 // of those in them
)

func newTransformer(p nn.Params, channels, heads, layers, contextDim, groups int, linears bool, cross *int) *transformer {
	project := func(name string) *nn.Linear {
		if linears {
			return linear(p, name, channels, channels, true)
		}
		return conv(p, name, channels, channels, 1).Linear
	}
	t := &transformer{
		norm: groupNorm(p, "norm", channels, groups, transformerEps),
		in:   project("proj_in"), out: project("proj_out"),
	}
	for i := range layers {
		q := p.Sub(fmt.Sprintf("transformer_blocks.%d", i))
		one, two := q.Sub("attn1"), q.Sub("attn2")
		b := &transformerBlock{
			FullAttention: nn.FullAttention{Heads: heads, Dim: channels / heads},
			norm1:         layerNorm(q, "norm1", channels, blockEps), norm2: layerNorm(q, "norm2", channels, blockEps), norm3: layerNorm(q, "norm3", channels, blockEps),
			qkv: stacked(one, channels, channels, false, "to_q", "to_k", "to_v"), out: linear(one, "to_out.0", channels, channels, true),
			query: linear(two, "to_q", channels, channels, false), kv: stacked(two, contextDim, channels, false, "to_k", "to_v"),
			crossOut: linear(two, "to_out.0", channels, channels, true), cross: *cross,
			up: linear(q, "ff.net.0.proj", channels, 8*channels, true), down: linear(q, "ff.net.2", 4*channels, channels, true),
		}
		*cross++
		t.blocks = append(t.blocks, b)
	}
	return t
}

func (t *transformer) apply(r *run, x nn.Image, ctx *Context) {
	a, h := r.like(x, x.Cols), r.like(x, x.Cols)
	t.norm.Apply(a, x, nn.Identity, tensor.Mat{}, tensor.Mat{}, r.ws)
	t.in.Project(h.Mat, a.Mat, tensor.Mat{}, r.ws)
	for _, b := range t.blocks {
		b.apply(r, h, a, ctx)
	}
	t.out.Project(x.Mat, h.Mat, x.Mat, r.ws)
	r.release(a)
	r.release(h)
}

// apply changes x; a, of the same size, is scratch.
func (b *transformerBlock) apply(r *run, x, a nn.Image, ctx *Context) {
	mark := r.ws.Mark()
	b.norm1.Apply(a.Mat, x.Mat, r.ws)
	o := r.attendSelf(b.FullAttention, b.qkv, a.Mat, x.N)
	b.out.Project(x.Mat, o, x.Mat, r.ws)

	b.norm2.Apply(a.Mat, x.Mat, r.ws)
	r.together(x.Rows, x.N, func(samples, rows span) {
		q := r.ws.Mat(rows.to-rows.from, x.Cols)
		b.query.Project(q, a.Slice(rows.from, rows.to), tensor.Mat{}, r.ws)
		b.Attend(o.Slice(rows.from, rows.to), q, ctx.layers[b.cross][samples.from:samples.to], r.ws)
	})
	b.crossOut.Project(x.Mat, o, x.Mat, r.ws)
	r.ws.Release(mark)

	b.norm3.Apply(a.Mat, x.Mat, r.ws)
	step := max(1, feedFloats/(8*x.Cols))
	for from := 0; from < x.Rows; from += step {
		to := min(from+step, x.Rows)
		b.feed(r, x.Slice(from, to), a.Slice(from, to))
	}
}

// feedFloats bounds the inner rows of the network behind the attentions that are in memory at a time.
const feedFloats = 1 << 21

// feed adds the network of a's rows to x.
func (b *transformerBlock) feed(r *run, x, a tensor.Mat) {
	mark := r.ws.Mark()
	h := r.ws.Mat(x.Rows, 8*x.Cols)
	b.up.Project(h, a, tensor.Mat{}, r.ws)
	values, gates := h.Columns(0, 4*x.Cols), h.Columns(4*x.Cols, 8*x.Cols)
	nn.GELUMul(gates, gates, values, r.ws)
	b.down.Project(x, gates, x, r.ws)
	r.ws.Release(mark)
}
