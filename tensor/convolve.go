package tensor

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mminfer/mminfer/kernels/conv"
	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
	"github.com/mminfer/mminfer/kernels/vec"
)

// Convolution is a convolution over two dimensions, or, with a window of one tap, a product of pixels:
//
//	Dst[p, o] = Plus[p, o] + Bias[o] + Sample[n, o] + Σₖ W[o, k]·patch(X)[p, k]
//
// for output pixel p of image n. The columns of W are [KH, KW, C]. The first three are added in that order and then
// grow by the sums of runs of k, as in package gemm; in 8 bits, by the whole sum.
type Convolution struct {
	Dst, X Mat         // [N·OutH·OutW, out], [pixels of the window, C]
	W      *Weight     // in one format
	Window conv.Window // its PixelStride is X's
	Bias   []float32   // [out], nil for zeros
	Sample Mat         // [N, out], the zero value for zeros
	Plus   Mat         // as Dst, and may be Dst; the zero value for zeros
}

const (
	// stripPixels is how many output pixels pass the panels together: what the product takes.
	stripPixels = 120
	// patchElements bounds the patches of a part in 8 bits, which take 3 bytes an element: they stay in the second-level cache.
	patchElements = 1 << 17
)

// Convolve runs a convolution on the workspace's pool. Dst and X do not overlap. It panics if sizes disagree.
func Convolve(ws *Workspace, c Convolution) {
	c.Window.PixelStride = c.X.Stride
	c.check()
	mark := ws.Mark()
	defer ws.Release(mark)
	switch {
	case c.W.winograd:
		convolveWinograd(ws, c)
		return
	case len(c.W.parts) > 1:
		c.apart(ws)
		return
	}
	t := Local[convolving](ws)
	t.plan(c, ws)
	if c.Dst.Rows*c.W.Rows*c.W.Cols < serial {
		for i := range t.parts() {
			t.Do(i)
		}
	} else {
		ws.Pool.Run(t.parts(), t)
	}
	*t = convolving{}
}

// apart runs the convolution for each part of its weight.
func (c *Convolution) apart(ws *Workspace) {
	from := 0
	for i, p := range c.W.parts {
		one, to := *c, from+p.rows
		one.W = &Weight{Format: p.format, Rows: p.rows, Cols: c.W.Cols, parts: c.W.parts[i : i+1]}
		one.Dst = c.Dst.Columns(from, to)
		if c.Bias != nil {
			one.Bias = c.Bias[from:to]
		}
		if c.Sample.Rows > 0 {
			one.Sample = c.Sample.Columns(from, to)
		}
		if c.Plus.Rows > 0 {
			one.Plus = c.Plus.Columns(from, to)
		}
		Convolve(ws, one)
		from = to
	}
}

func (c *Convolution) check() {
	g := &c.Window
	if c.W.Cols != g.Cols() || c.X.Cols != g.C || c.X.Rows != g.Pixels() || c.Dst.Rows != g.Rows() || c.Dst.Cols != c.W.Rows ||
		c.Bias != nil && len(c.Bias) != c.W.Rows || c.Sample.Rows > 0 && (c.Sample.Rows != g.N || c.Sample.Cols != c.W.Rows) ||
		c.Plus.Rows > 0 && (c.Plus.Rows != c.Dst.Rows || c.Plus.Cols != c.Dst.Cols) {
		panic(fmt.Sprintf("tensor.Convolve: dst [%d %d], x [%d %d], w [%d %d], bias [%d], sample [%d %d], plus [%d %d], window %+v", c.Dst.Rows, c.Dst.Cols,
			c.X.Rows, c.X.Cols, c.W.Rows, c.W.Cols, len(c.Bias), c.Sample.Rows, c.Sample.Cols, c.Plus.Rows, c.Plus.Cols, *g))
	}
}

// split cuts n units, pixels or tiles, into strips, and strips and panels into parts: by strips where there are enough of
// them, and by panels where not.
type split struct {
	n                   int
	strip, strips       int // units of a strip, and how many strips there are
	perPart, stripParts int // strips of a part
	panels, panelParts  int // panels of a part
}

func newSplit(n, strip, panels, want int) split {
	s := split{n: n, strip: min(strip, max(n, 1)), panels: panels, panelParts: 1}
	s.strips = (n + s.strip - 1) / s.strip
	if s.strips < want && panels > tilePanels {
		s.panelParts = min((want+s.strips-1)/max(s.strips, 1), panels/tilePanels)
		s.panels = (panels/tilePanels + s.panelParts - 1) / s.panelParts * tilePanels
		s.panelParts = (panels + s.panels - 1) / s.panels
	}
	s.perPart = max(1, (s.strips*s.panelParts+want-1)/want)
	s.stripParts = (s.strips + s.perPart - 1) / s.perPart
	return s
}

func (s *split) parts() int { return s.stripParts * s.panelParts }

// part returns a part's units, from to to-1, and its first panel.
func (s *split) part(i int) (from, to, panel int) {
	strip := i / s.panelParts * s.perPart
	return strip * s.strip, min((strip+s.perPart)*s.strip, s.n), i % s.panelParts * s.panels
}

// convolving is the task of Convolve. A part is a range of strips of output pixels and a range of panels.
type convolving struct {
	Convolution
	split
	run      int // columns of a patch at a time
	patches  Mat // scratch of all parts, strip rows each
	rows     quant.Rows8
	pairs    pairs // of patches
	products Mat
}

// plan cuts the work and takes scratch.
func (t *convolving) plan(c Convolution, ws *Workspace) {
	*t = convolving{Convolution: c, run: min(gemm.Run, c.W.Cols)}
	strip := stripPixels
	if c.W.Format.Quantised() {
		t.run = c.W.Cols
		strip = min(strip, max(tileTokens, patchElements/c.W.Cols))
	}
	t.split = newSplit(c.Dst.Rows, strip, gemm.Panels(c.W.Rows), ws.Pool.Threads()*partsPerThread)
	all := t.strip * t.parts()
	switch {
	case c.W.Format.Quantised():
		e, s := quant.Rows8Size(all, c.W.Cols)
		t.rows = quant.Rows8{Tokens: all, K: c.W.Cols, Q: scratch[int8](ws, e), Wide: scratch[int16](ws, e), Scale: ws.Floats(s), Sum: scratch[int32](ws, s)}
		t.products = ws.Mat(all, min(t.panels*gemm.Rows, c.W.Rows))
		t.patches = ws.Mat(t.parts(), t.run)
	case c.W.Format == FormatBF16Dot:
		t.patches, t.pairs = ws.Mat(all, t.run), ws.newPairs(all, t.run)
	case !c.Window.Pointwise():
		t.patches = ws.Mat(all, t.run)
	}
}

// Do runs one part.
func (t *convolving) Do(part int) {
	from, to, panel := t.part(part)
	cols := [2]int{panel * gemm.Rows, min((panel+t.panels)*gemm.Rows, t.W.Rows)}
	for ; from < to; from += t.strip {
		n := min(t.strip, to-from)
		if t.W.Format.Quantised() {
			t.quantized(part, from, n, cols)
			continue
		}
		t.start(from, n, cols)
		t.floats(part, from, n, cols)
	}
}

// start sets output pixels to what does not depend on the patches, for columns cols.
func (t *Convolution) start(from, n int, cols [2]int) {
	image := t.Window.OutH * t.Window.OutW
	for p := from; p < from+n; p++ {
		dst := t.Dst.Row(p)[cols[0]:cols[1]]
		switch {
		case t.Plus.Rows > 0:
			copy(dst, t.Plus.Row(p)[cols[0]:cols[1]])
			if t.Bias != nil {
				vec.Add(dst, dst, t.Bias[cols[0]:cols[1]])
			}
		case t.Bias != nil:
			copy(dst, t.Bias[cols[0]:cols[1]])
		default:
			clear(dst)
		}
		if t.Sample.Rows > 0 {
			vec.Add(dst, dst, t.Sample.Row(p / image)[cols[0]:cols[1]])
		}
	}
}

// floats adds the products of a strip, run by run.
func (t *convolving) floats(part, from, n int, cols [2]int) {
	d := gemm.Dims{Tokens: n, Rows: cols[1] - cols[0], DstStride: t.Dst.Stride, PanelK: t.W.Cols}
	dst := t.Dst.Data[from*t.Dst.Stride+cols[0]:]
	if t.Window.Pointwise() && t.W.Format != FormatBF16Dot {
		d.K, d.XStride = t.W.Cols, t.X.Stride
		t.W.parts[0].multiply(dst, t.X.Data[from*t.X.Stride:], cols[0]/gemm.Rows, 0, d, true)
		return
	}
	patches := t.patches.Slice(part*t.strip, part*t.strip+n)
	d.XStride = patches.Stride
	for k := 0; k < t.W.Cols; k += t.run {
		d.K = min(t.run, t.W.Cols-k)
		conv.Patches(patches.Data, patches.Stride, t.X.Data, &t.Window, from, n, k, k+d.K)
		if t.W.Format != FormatBF16Dot {
			t.W.parts[0].multiply(dst, patches.Data, cols[0]/gemm.Rows, k, d, true)
			continue
		}
		x := pairs{t.pairs.data[part*t.strip*t.pairs.stride:], t.pairs.stride}
		for i := range n {
			x.round(i, patches.Row(i)[:d.K])
		}
		t.W.parts[0].multiplyPairs(dst, x, cols[0]/gemm.Rows, k, d, true)
	}
}

// quantized computes a strip with 8-bit weights.
func (t *convolving) quantized(part, from, n int, cols [2]int) {
	stride, blocks := quant.Stride(t.W.Cols), quant.Blocks(t.W.Cols)
	at := part * t.strip
	row := t.patches.Row(part)
	x := quant.Rows8{K: t.W.Cols, Q: t.rows.Q[at*stride:], Wide: t.rows.Wide[at*stride:], Scale: t.rows.Scale[at*blocks:], Sum: t.rows.Sum[at*blocks:]}
	for i := range n {
		conv.Patches(row, len(row), t.X.Data, &t.Window, from+i, 1, 0, t.W.Cols)
		one := quant.Rows8{Tokens: 1, K: x.K, Q: x.Q[i*stride:], Wide: x.Wide[i*stride:], Scale: x.Scale[i*blocks:], Sum: x.Sum[i*blocks:]}
		one.Quantize(row, len(row))
	}
	x.Tokens = n
	out := t.products.Slice(at, at+n).Columns(0, cols[1]-cols[0])
	t.W.parts[0].multiply8(out.Data, x, cols[0]/gemm.Rows, gemm.Panels(cols[1]), gemm.Dims{Tokens: n, Rows: out.Cols, K: t.W.Cols, DstStride: out.Stride})
	t.start(from, n, cols)
	for i := range n {
		dst := t.Dst.Row(from + i)[cols[0]:cols[1]]
		vec.Add(dst, dst, out.Row(i))
	}
}

// Taps returns filters [out, in, KH, KW] as [out, KH, KW, in]: the columns of a [Convolution]. Types that store
// elements in blocks become F32. The data are the arena's. It panics if t has not four axes.
func Taps(arena *Arena, t Tensor) Tensor {
	if len(t.Shape) != 4 {
		panic(fmt.Sprintf("tensor.Taps: %v has not four axes", t))
	}
	out, in, taps := t.Shape[0], t.Shape[1], t.Shape[2]*t.Shape[3]
	if t.Type.Size() == 0 {
		t = Widened(t)
	}
	size := t.Type.Size()
	data := arena.Bytes(len(t.Data))
	for o := range out {
		from, to := t.Data[o*in*taps*size:][:in*taps*size], data[o*in*taps*size:][:in*taps*size]
		for c := range in {
			for k := range taps {
				copy(to[(k*in+c)*size:][:size], from[(c*taps+k)*size:])
			}
		}
	}
	return Tensor{Name: t.Name, Type: t.Type, Shape: []int{out, t.Shape[2], t.Shape[3], in}, Data: data}
}

// Widened returns a copy of the tensor in F32.
func Widened(t Tensor) Tensor {
	data := make([]byte, 4*t.Elements())
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	for i, f := range v {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(f))
	}
	return Tensor{Name: t.Name, Type: F32, Shape: t.Shape, Data: data}
}
