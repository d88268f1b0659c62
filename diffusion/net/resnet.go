package net

import (
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// resnet is diffusers' ResnetBlock2D: two convolutions beside a shortcut.
//
// Source: models/resnet.py in huggingface/diffusers 0.42.
type resnet struct {
	out          int
	norm1, norm2 *nn.GroupNorm
	conv1, conv2 nn.Conv2D
	time         *nn.Linear // of the activated time embedding; nil without
	scaleShift   bool       // time gives scale and shift of the second norm, and not a term
	shortcut     *nn.Conv2D // one tap, nil if the widths are equal
	scale        float32    // the output's divisor
}

// resnetOptions are what the blocks of a network have in common.
type resnetOptions struct {
	groups     int
	eps        float64
	timeWidth  int // 0 without
	scaleShift bool
	scale      float64 // 0 for 1
}

func newResnet(p nn.Params, in, out int, o resnetOptions) *resnet {
	b := &resnet{
		out:   out,
		norm1: groupNorm(p, "norm1", in, o.groups, o.eps), conv1: conv(p, "conv1", in, out, 3),
		norm2: groupNorm(p, "norm2", out, o.groups, o.eps), conv2: conv(p, "conv2", out, out, 3),
		scaleShift: o.scaleShift, scale: float32(o.scale),
	}
	if o.timeWidth > 0 {
		width := out
		if o.scaleShift {
			width *= 2
		}
		b.time = linear(p, "time_emb_proj", o.timeWidth, width, true)
	}
	if in != out {
		c := conv(p, "conv_shortcut", in, out, 1)
		b.shortcut = &c
	}
	return b
}

// apply returns the output. time [N, timeWidth] is the activated embedding. An x that may be spent is overwritten and released, or returned.
func (b *resnet) apply(r *run, x nn.Image, spend bool, time tensor.Mat) nn.Image {
	mark := r.ws.Mark()
	var term, scale, shift tensor.Mat
	if b.time != nil {
		term = b.time.Out(time, r.ws)
		if b.scaleShift {
			scale, shift, term = term.Columns(0, b.out), term.Columns(b.out, 2*b.out), tensor.Mat{}
		}
	}
	dst, plus, a := x, x.Mat, x
	if b.shortcut != nil { // with it x is needed no more
		dst = r.like(x, b.out)
		b.shortcut.Apply(dst, x, nn.Added{}, r.ws)
		plus = dst.Mat
	}
	if b.shortcut == nil || !spend {
		a = r.like(x, x.Cols)
	}
	b.norm1.Apply(a, x, nn.SiLU, tensor.Mat{}, tensor.Mat{}, r.ws)
	h := r.like(x, b.out)
	b.conv1.Apply(h, a, nn.Added{Sample: term}, r.ws)
	r.release(a)
	b.norm2.Apply(h, h, nn.SiLU, scale, shift, r.ws)
	if b.shortcut == nil && !spend {
		dst = r.like(x, b.out)
	}
	b.conv2.Apply(dst, h, nn.Added{Plus: plus}, r.ws)
	r.release(h)
	if b.scale != 0 && b.scale != 1 {
		nn.Scale(dst.Mat, 1/b.scale, dst.Mat, r.ws)
	}
	r.ws.Release(mark)
	return dst
}
