package net

import (
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// run is a computation in progress, and the memory of its images: maps of different sizes live across blocks
// and die in no order, so they come from a list of free buffers and not from the workspace's stack. It belongs to the workspace.
// Large buffers are mapped and, where all are more than a bound, unmapped as soon as they are free and too small: the collector would keep as
// much again.
type run struct {
	ws     *tensor.Workspace
	pass   *Pass
	err    error // the first block that was not finite
	free   [][]float32
	mapped map[*float32]func() // by the first element: unmaps
	held   int                 // floats that are mapped
	caches map[nn.FullAttention][]*nn.KV
}

// begin starts a computation.
func begin(p *Pass) *run {
	r := tensor.Local[run](p.WS)
	r.ws, r.pass, r.err = p.WS, p, nil
	return r
}

// end ends it. All images were released.
func (r *run) end() error {
	if r.held > heldFloats {
		r.unmap()
	}
	r.pass = nil
	return r.err
}

const (
	// mappedFloats is the size from which a buffer is mapped.
	mappedFloats = 1 << 20
	// heldFloats bounds what is mapped and kept for images to come: those of one call of Stable Diffusion's UNet at 512×512 pixels.
	heldFloats = 5 << 24
)

// unmap unmaps the buffers that are free.
func (r *run) unmap() {
	r.free = slices.DeleteFunc(r.free, func(b []float32) bool {
		unmap, ok := r.mapped[&b[:1][0]]
		if ok {
			unmap()
			r.held -= cap(b)
			delete(r.mapped, &b[:1][0])
		}
		return ok
	})
}

// floats returns memory of unspecified values that is not on the list of what is free.
func (r *run) floats(n int) []float32 {
	if n < mappedFloats {
		return tensor.Floats(n)
	}
	if r.held+n > heldFloats {
		r.unmap() // none of them was large enough
	}
	data, unmap := tensor.MapFloats(n)
	if r.mapped == nil {
		r.mapped = map[*float32]func(){}
		runtime.AddCleanup(r, unmapAll, r.mapped)
	}
	r.mapped[&data[0]] = unmap
	r.held += cap(data)
	return data
}

// unmapAll unmaps what belongs to nobody any more.
func unmapAll(mapped map[*float32]func()) {
	for _, unmap := range mapped {
		unmap()
	}
}

// image returns images of unspecified values.
func (r *run) image(n, h, w, channels int) nn.Image {
	const line = 16 // floats: rows begin on cache lines, an odd number of them apart
	stride := ((channels+line-1)/line | 1) * line
	need, best := n*h*w*stride, -1
	for i, b := range r.free {
		if cap(b) >= need && (best < 0 || cap(b) < cap(r.free[best])) {
			best = i
		}
	}
	var data []float32
	if best < 0 {
		data = r.floats(need)
	} else {
		data = r.free[best][:need]
		r.free[best] = r.free[len(r.free)-1]
		r.free = r.free[:len(r.free)-1]
	}
	return nn.Image{N: n, H: h, W: w, Mat: tensor.Mat{Rows: n * h * w, Cols: channels, Stride: stride, Data: data}}
}

// like returns images of the same size with other channels.
func (r *run) like(x nn.Image, channels int) nn.Image { return r.image(x.N, x.H, x.W, channels) }

// release gives back an image's memory.
func (r *run) release(x nn.Image) { r.free = append(r.free, x.Data) }

// load brings [n, c, h, w] into an image's order.
func (r *run) load(x []float32, n, c, h, w int) nn.Image {
	m := r.image(n, h, w, c)
	for i := range n {
		for ch := range c {
			for p, v := range x[(i*c+ch)*h*w : (i*c+ch+1)*h*w] {
				m.Data[(i*h*w+p)*m.Stride+ch] = v
			}
		}
	}
	return m
}

// store brings an image into the order [n, c, h, w].
func store(dst []float32, m nn.Image) {
	area := m.H * m.W
	for i := range m.N {
		for ch := range m.Cols {
			out := dst[(i*m.Cols+ch)*area : (i*m.Cols+ch+1)*area]
			for p := range out {
				out[p] = m.Data[(i*area+p)*m.Stride+ch]
			}
		}
	}
}

// center brings values of 0 to 1 to -1 to 1.
func center(x nn.Image) {
	for i := range x.Rows {
		row := x.Row(i)
		for c, v := range row {
			row[c] = float32(2*v) - 1
		}
	}
}

// cachesFor returns caches for the self-attention of n samples.
func (r *run) cachesFor(a nn.FullAttention, n int) []*nn.KV {
	if r.caches == nil {
		r.caches = map[nn.FullAttention][]*nn.KV{}
	}
	if have := len(r.caches[a]); have < n {
		r.caches[a] = append(r.caches[a], a.NewCaches(n-have)...)
	}
	return r.caches[a][:n]
}

// block reports a block's output to who looks on.
func (r *run) block(name string, x nn.Image) {
	if r.pass.Block != nil {
		r.pass.Block(name, x)
	}
	if !r.pass.Finite || r.err != nil {
		return
	}
	for i := range x.Rows {
		if c := tensor.NotFinite(x.Row(i)); c >= 0 {
			r.err = fmt.Errorf("net: %s: channel %d of pixel %d of sample %d is %v: the first block with a value that is not finite", name, c, i%(x.H*x.W), i/(x.H*x.W), x.Row(i)[c])
			return
		}
	}
}

// vectors reports a matrix with a row for each sample.
func (r *run) vectors(name string, m tensor.Mat) {
	r.block(name, nn.Image{N: m.Rows, H: 1, W: 1, Mat: m})
}

// checkImages demands that slices hold n images.
func checkImages(what string, got []float32, n, c, h, w int) error {
	if n < 1 || h < 1 || w < 1 || n > math.MaxInt32 || h > maxSide || w > maxSide || len(got)/n/h/w != c || len(got) != n*c*h*w {
		return fmt.Errorf("net: %s: %d numbers, expected [%d, %d, %d, %d], each side 1 to %d", what, len(got), n, c, h, w, maxSide)
	}
	return nil
}

// maxSide bounds the height and width of images and latents.
const maxSide = 1 << 15
