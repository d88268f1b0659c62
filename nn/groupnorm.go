package nn

import (
	"github.com/mminfer/mminfer/kernels/norm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
	"math"
)

// GroupNorm normalises groups of channels of an image by mean and variance over the group's channels and all
// pixels, and then scales and shifts every channel.
//
// Every channel is summed over blocks of pixels, about the block's first, in order; blocks and channels are then merged in order, in
// float64: an image's bits depend on the image alone.
//
// Source: Wu and He 2018, arXiv:1803.08494; Chan, Golub, LeVeque 1983 (merging).
type GroupNorm struct {
	Groups       int
	Weight, Bias []float32 // [C]
	Eps          float64
}

const (
	// momentPixels is the pixels of a block.
	momentPixels = 256
	// momentChannels is the channels of which a thread sums a block at a time.
	momentChannels = 128
)

// Apply computes dst = act(GroupNorm(x)), [pixels, C]. dst may be x. Scale and shift [N, C], if not empty, change what is
// normalised to h·(1 + scale) + shift before the activation, which is Identity or SiLU.
func (g *GroupNorm) Apply(dst, x Image, act Activation, scale, shift tensor.Mat, ws *tensor.Workspace) {
	mark := ws.Mark()
	t := tensor.Local[groupNorming](ws)
	blocks := (x.H*x.W + momentPixels - 1) / momentPixels
	strips := (x.Cols + momentChannels - 1) / momentChannels
	*t = groupNorming{
		g: g, dst: dst, x: x, act: act, scale: scale, shift: shift, blocks: blocks, strips: strips,
		sum: ws.Mat(x.N*blocks, x.Cols), square: ws.Mat(x.N*blocks, x.Cols), a: ws.Mat(x.N, x.Cols), b: ws.Mat(x.N, x.Cols),
	}
	ws.Pool.Run(x.N*blocks*strips, t)
	t.phase = mergePhase
	ws.Pool.Run(x.N*g.Groups, t)
	t.phase = applyPhase
	t.units = units{x.Rows, max(1, floatsPerPart/2/max(x.Cols, 1))}
	ws.Pool.Run(t.parts(), t)
	*t = groupNorming{}
	ws.Release(mark)
}

// groupNorming is the task of Apply, which has three phases.
type groupNorming struct {
	units
	g              *GroupNorm
	phase          groupPhase
	dst, x         Image
	act            Activation
	scale, shift   tensor.Mat
	blocks, strips int
	sum, square    tensor.Mat // [N·blocks, C]
	a, b           tensor.Mat // [N, C]: what is normalised is x·a + b
}

type groupPhase uint8

const (
	sumPhase   groupPhase = iota // a part is a block and a strip of channels
	mergePhase                   // a group
	applyPhase                   // rows
)

// Do runs one part.
func (t *groupNorming) Do(part int) {
	switch t.phase {
	case sumPhase:
		t.sums(part/t.strips, part%t.strips*momentChannels)
	case mergePhase:
		t.merge(part/t.g.Groups, part%t.g.Groups)
	case applyPhase:
		for from, to := t.part(part); from < to; {
			n := from / (t.x.H * t.x.W)
			end := min(to, (n+1)*t.x.H*t.x.W)
			t.apply(n, from, end)
			from = end
		}
	}
}

// sums adds up a block's channels from one on.
func (t *groupNorming) sums(block, from int) {
	rows := t.rows(block)
	x := t.x.Sample(block/t.blocks).Slice(rows[0], rows[1])
	to := min(from+momentChannels, x.Cols)
	norm.Moments(t.sum.Row(block)[from:to], t.square.Row(block)[from:to], x.Data[from:], x.Stride, x.Rows)
}

// rows is a block's range of pixels in its image.
func (t *groupNorming) rows(block int) [2]int {
	from := block % t.blocks * momentPixels
	return [2]int{from, min(from+momentPixels, t.x.H*t.x.W)}
}

// merge finds the factors and terms of one group's channels.
func (t *groupNorming) merge(n, group int) {
	width := t.x.Cols / t.g.Groups
	from, to := group*width, (group+1)*width
	count := float64(t.x.H*t.x.W) * float64(width)
	var total float64
	t.each(n, func(pixels float64, first, sum, _ []float32) {
		for c := from; c < to; c++ {
			total += float64(float64(first[c])*pixels) + float64(sum[c])
		}
	})
	mean := total / count
	var squares float64
	t.each(n, func(pixels float64, first, sum, square []float32) {
		for c := from; c < to; c++ {
			s := float64(sum[c])
			d := float64(first[c]) + s/pixels - mean
			squares += float64(square[c]) - float64(s*s)/pixels + float64(float64(pixels*d)*d)
		}
	})
	inverse := 1 / math.Sqrt(max(squares, 0)/count+t.g.Eps)
	a, b := t.a.Row(n), t.b.Row(n)
	for c := from; c < to; c++ {
		scale, shift := float64(t.g.Weight[c])*inverse, float64(t.g.Bias[c])
		shift -= float64(mean * scale)
		if t.scale.Rows > 0 {
			by := 1 + float64(t.scale.Row(n)[c])
			scale, shift = scale*by, float64(shift*by)+float64(t.shift.Row(n)[c])
		}
		a[c], b[c] = float32(scale), float32(shift)
	}
}

// each calls f for the blocks of an image in order.
func (t *groupNorming) each(n int, f func(pixels float64, first, sum, square []float32)) {
	for block := n * t.blocks; block < (n+1)*t.blocks; block++ {
		rows := t.rows(block)
		first := t.x.Row(n*t.x.H*t.x.W + rows[0])
		f(float64(rows[1]-rows[0]), first, t.sum.Row(block), t.square.Row(block))
	}
}

// apply normalises some rows of an image.
func (t *groupNorming) apply(n, from, to int) {
	a, b := t.a.Row(n), t.b.Row(n)
	for i := from; i < to; i++ {
		dst := t.dst.Row(i)
		norm.Affine(dst, len(dst), t.x.Row(i), t.x.Cols, 1, a, b)
		if t.act == SiLU {
			vec.SiLU(dst, dst)
		}
	}
}
