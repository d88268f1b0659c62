package net

import (
	"fmt"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// spatial is an attention that changes an image in place.
type spatial interface {
	apply(r *run, x nn.Image, ctx *Context)
}

// unet is what UNet2DModel and UNet2DConditionModel have in common: images go down in levels, every layer's
// output is kept, and up again beside what was kept.
type unet struct {
	time    timeEmbedding
	in, out nn.Conv2D
	norm    *nn.GroupNorm
	down    []level
	mid     level // two resnets, one attention between them
	up      []level
	grain   int // height and width are multiples of it
}

// level is the layers of one resolution.
type level struct {
	name       string
	resnets    []*resnet
	attentions []spatial   // nil, or one for each resnet; of mid, one
	names      [][2]string // of the resnets and their attentions
	scale      *nn.Conv2D  // to the next resolution, nil in the last level
}

// attentionMaker makes the attention of a level, from below or above counted alike; nil makes none.
type attentionMaker func(p nn.Params, channels int) spatial

// unetShape is what the constructors of both kinds fill in.
type unetShape struct {
	in, out       int
	widths        []int
	layers        numbers
	padding       int // of downsampling
	resnet        resnetOptions
	mid           resnetOptions
	downMaker     func(level int) attentionMaker
	upMaker       func(level int) attentionMaker // level counts from the top of the list
	midMaker      attentionMaker
	flip          bool
	shift         float64
	timeWidth     int
	guidanceWidth int
}

// newUNet takes the tensors of a network.
func newUNet(p nn.Params, s *unetShape) unet {
	n := len(s.widths)
	u := unet{
		grain: 1,
		time:  newTimeEmbedding(p, "time_embedding", s.widths[0], s.timeWidth, s.shift, s.flip),
		in:    exact(p, "conv_in", s.in, s.widths[0], 3), out: exact(p, "conv_out", s.widths[0], s.out, 3),
		norm: groupNorm(p, "conv_norm_out", s.widths[0], s.resnet.groups, s.resnet.eps),
	}
	if s.padding == 0 { // half of an odd size is then rounded down, and twice that is another
		u.grain = 1 << (n - 1)
	}
	if s.guidanceWidth > 0 {
		u.time.cond = linear(p, "time_embedding.cond_proj", s.guidanceWidth, s.widths[0], false)
	}
	skips := []int{s.widths[0]} // the widths of what is kept
	width := s.widths[0]
	for i := 0; i < n && !p.TooMany(); i++ {
		l := level{name: fmt.Sprintf("down_blocks.%d", i)}
		for range s.layers.at(i) {
			l.add(p, width, s.widths[i], s.resnet, s.downMaker(i))
			width = s.widths[i]
			skips = append(skips, width)
		}
		if i < n-1 {
			c := downsampler(p.Sub(l.name+".downsamplers.0"), width, s.padding)
			l.scale = &c
			skips = append(skips, width)
		}
		u.down = append(u.down, l)
	}
	u.mid = newMiddle(p, "mid_block", width, s.mid, s.midMaker)
	for i := 0; i < n && !p.TooMany(); i++ {
		l := level{name: fmt.Sprintf("up_blocks.%d", i)}
		out := s.widths[n-1-i]
		for range s.layers.at(n-1-i) + 1 {
			skip := skips[len(skips)-1]
			skips = skips[:len(skips)-1]
			l.add(p, width+skip, out, s.resnet, s.upMaker(i))
			width = out
		}
		if i < n-1 {
			c := conv(p, l.name+".upsamplers.0.conv", width, width, 3)
			l.scale = &c
		}
		u.up = append(u.up, l)
	}
	return u
}

// add takes the next resnet of a level and its attention.
func (l *level) add(p nn.Params, in, out int, o resnetOptions, attend attentionMaker) {
	j := len(l.resnets)
	names := [2]string{fmt.Sprintf("%s.resnets.%d", l.name, j), fmt.Sprintf("%s.attentions.%d", l.name, j)}
	l.names = append(l.names, names)
	l.resnets = append(l.resnets, newResnet(p.Sub(names[0]), in, out, o))
	if attend != nil {
		l.attentions = append(l.attentions, attend(p.Sub(names[1]), out))
	}
}

// newMiddle takes a middle block: resnet, attention, resnet.
func newMiddle(p nn.Params, name string, width int, o resnetOptions, attend attentionMaker) level {
	l := level{name: name}
	l.add(p, width, width, o, attend)
	l.add(p, width, width, o, nil)
	return l
}

// downsampler takes a convolution that halves: with a zero on all sides, or only at the right and the bottom.
func downsampler(p nn.Params, width, padding int) nn.Conv2D {
	return convolution(p.Sub("conv"), width, width, 3, convOptions{bias: true, step: 2, uneven: padding == 0})
}

// checkSize demands sizes that come up again as they went down.
func (u *unet) checkSize(class string, h, w int) error {
	if h%u.grain != 0 || w%u.grain != 0 {
		return fmt.Errorf("net: %s: %d×%d pixels, expected multiples of %d", class, h, w, u.grain)
	}
	return nil
}

// embed returns the time embedding of the samples. It is not activated yet.
func (u *unet) embed(r *run, t, guidance []float64) tensor.Mat {
	f := u.time.features(r, t)
	r.vectors("time_proj", f)
	if u.time.cond != nil {
		u.time.guide(r, f, guidance)
	}
	return u.time.apply(r, f)
}

// forward computes the network's output from x, which it releases. time is activated.
func (u *unet) forward(r *run, x nn.Image, time tensor.Mat, ctx *Context) nn.Image {
	h := r.like(x, u.in.W.Rows)
	u.in.Apply(h, x, nn.Added{}, r.ws)
	r.release(x)
	r.block("conv_in", h)
	skips := []nn.Image{h}
	for i := range u.down {
		skips = u.down[i].downward(r, skips, time, ctx)
	}
	h = u.mid.middle(r, skips[len(skips)-1], false, time, ctx)
	for i := range u.up {
		h, skips = u.up[i].upward(r, h, skips, time, ctx)
	}
	y := finish(r, h, u.norm, &u.out, "")
	r.release(h)
	return y
}

// finish normalises h, which it overwrites, activates it and applies the last convolution.
func finish(r *run, h nn.Image, norm *nn.GroupNorm, out *nn.Conv2D, prefix string) nn.Image {
	act := nn.SiLU
	if r.pass.Block != nil { // who looks on sees what is not activated yet
		act = nn.Identity
	}
	norm.Apply(h, h, act, tensor.Mat{}, tensor.Mat{}, r.ws)
	r.block(prefix+"conv_norm_out", h)
	if act == nn.Identity {
		nn.Activate(h.Mat, nn.SiLU, r.ws)
	}
	y := r.like(h, out.W.Rows)
	out.Apply(y, h, nn.Added{}, r.ws)
	r.block(prefix+"conv_out", y)
	return y
}

// layer applies resnet j and its attention. An x that may be spent is the caller's no more.
func (l *level) layer(r *run, j int, x nn.Image, spend bool, time tensor.Mat, ctx *Context) nn.Image {
	y := l.resnets[j].apply(r, x, spend, time)
	r.block(l.names[j][0], y)
	if j < len(l.attentions) {
		l.attentions[j].apply(r, y, ctx)
		r.block(l.names[j][1], y)
	}
	return y
}

// downward applies a level to the last image kept, and keeps every output.
func (l *level) downward(r *run, skips []nn.Image, time tensor.Mat, ctx *Context) []nn.Image {
	for j := range l.resnets {
		skips = append(skips, l.layer(r, j, skips[len(skips)-1], false, time, ctx))
	}
	x := skips[len(skips)-1]
	if l.scale != nil {
		x = l.halve(r, x)
		skips = append(skips, x)
	}
	r.block(l.name, x)
	return skips
}

// halve applies the convolution to half the size.
func (l *level) halve(r *run, x nn.Image) nn.Image {
	h, w := l.scale.Size(x.H, x.W)
	y := r.image(x.N, h, w, x.Cols)
	l.scale.Apply(y, x, nn.Added{}, r.ws)
	return y
}

// middle applies the middle block to x, which may be spent or not.
func (l *level) middle(r *run, x nn.Image, spend bool, time tensor.Mat, ctx *Context) nn.Image {
	h := l.layer(r, 0, x, spend, time, ctx)
	h = l.layer(r, 1, h, true, time, ctx)
	r.block(l.name, h)
	return h
}

// upward applies a level to h, which it releases, and the images kept last, which it releases too. The size
// above is that of the next one kept.
func (l *level) upward(r *run, h nn.Image, skips []nn.Image, time tensor.Mat, ctx *Context) (nn.Image, []nn.Image) {
	for j := range l.resnets {
		skip := skips[len(skips)-1]
		skips = skips[:len(skips)-1]
		both := r.like(h, h.Cols+skip.Cols)
		nn.Concat(both.Mat, h.Mat, skip.Mat, r.ws)
		r.release(h)
		r.release(skip)
		h = l.layer(r, j, both, true, time, ctx)
	}
	if l.scale != nil {
		next := skips[len(skips)-1]
		h = l.double(r, h, next.H, next.W)
	}
	r.block(l.name, h)
	return h, skips
}

// double applies the convolution to h at twice the size, h×w, and releases it.
func (l *level) double(r *run, x nn.Image, h, w int) nn.Image {
	y := r.image(x.N, h, w, x.Cols)
	l.scale.Apply(y, x.Upsample(h, w), nn.Added{}, r.ws)
	r.release(x)
	return y
}
