package tensor

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels/conv"
	"github.com/mminfer/mminfer/kernels/gemm"
)

// PackWinograd packs filters [out, in, 3, 3] for a convolution by Winograd's minimal filtering, in float32: 16 matrices
// [out, in] in place of 9, and 4 products for each output in place of 9. The weight is only for a [Convolution] whose window is 3 by 3 taps,
// one step apart, with zeros on all sides. It panics if t is something else.
func PackWinograd(arena *Arena, pool *Pool, t Tensor) *Weight {
	if len(t.Shape) != 4 || t.Shape[2] != 3 || t.Shape[3] != 3 {
		panic(fmt.Sprintf("tensor.PackWinograd: %v is not [out in 3 3]", t))
	}
	if t.Type.Size() == 0 {
		t = Widened(t)
	}
	w := &Weight{Format: FormatF32, Rows: t.Shape[0], Cols: 9 * t.Shape[1], winograd: true}
	p := panels{format: FormatF32, rows: conv.WinogradProducts * gemm.Panels(w.Rows) * gemm.Rows, cols: t.Shape[1]}
	p.data = arena.Bytes(p.rows * p.cols * 4)
	w.parts = []panels{p}
	pool.Run(w.Rows, &winogradPacking{w, t})
	return w
}

// winogradPacking is the task of packing: a part is a row.
type winogradPacking struct {
	w *Weight
	t Tensor
}

// Do transforms the filters of one output.
func (p *winogradPacking) Do(row int) {
	in := p.t.Shape[1]
	filters := make([]float32, 9*in)
	p.t.Floats(filters, 9*in*row)
	panels := view[float32](p.w.parts[0].data)
	size := gemm.Panels(p.w.Rows) * in * gemm.Rows // of a matrix
	at := row/gemm.Rows*in*gemm.Rows + row%gemm.Rows
	var u [conv.WinogradProducts]float32
	for c := range in {
		conv.WinogradFilter(&u, (*[9]float32)(filters[9*c:]))
		for i, v := range u {
			panels[i*size+at+c*gemm.Rows] = v
		}
	}
}

const (
	// winogradFloats bounds a part's transformed tiles and products where they can stay in the second-level cache.
	winogradFloats = 1 << 17
	// tileTokens is how many rows a tile of a product takes at most.
	tileTokens = 6
	// winogradTiles is the fewest tiles of a strip, if there are as many: all the matrices are read for each strip.
	winogradTiles = 24
)

// tiles returns the tiles of an image.
func (g *winograding) tiles() (rows, cols int) {
	return (g.Window.OutH + 1) / conv.WinogradTile, (g.Window.OutW + 1) / conv.WinogradTile
}

// winograding is the task of a convolution by Winograd's filtering. A part is a range of strips of tiles and a range of
// panels.
type winograding struct {
	Convolution
	split
	source   Mat // [parts·16·strip, C]
	products Mat // [parts·16·strip, rows of a part]
	border   Mat // [parts·16, C]: a tile at an image's edge
	unused   Mat // [parts, rows of a part]: outputs beyond it
}

// convolveWinograd runs the convolution.
func convolveWinograd(ws *Workspace, c Convolution) {
	g := c.Window
	if g.KH != 3 || g.KW != 3 || g.Step != 1 || g.Top != 1 || g.Left != 1 || g.OutH != g.H || g.OutW != g.W {
		panic(fmt.Sprintf("tensor.Convolve: window %+v of a weight for Winograd's filtering", g))
	}
	t := Local[winograding](ws)
	*t = winograding{Convolution: c}
	rows, cols := t.tiles()
	panels := gemm.Panels(c.W.Rows)
	tiles := g.N * rows * cols
	strip := min(max(winogradTiles, winogradFloats/conv.WinogradProducts/(g.C+c.W.Rows)), stripPixels)
	strip -= strip % tileTokens
	t.split = newSplit(tiles, strip, panels, ws.Pool.Threads()*partsPerThread)
	width := min(t.panels*gemm.Rows, c.W.Rows)
	t.source, t.products = ws.Mat(t.parts()*conv.WinogradProducts*t.strip, g.C), ws.Mat(t.parts()*conv.WinogradProducts*t.strip, width)
	t.border, t.unused = ws.Mat(t.parts()*conv.WinogradProducts, g.C), ws.Mat(t.parts(), width)
	ws.Pool.Run(t.parts(), t)
	*t = winograding{}
}

// Do runs one part.
func (t *winograding) Do(part int) {
	from, to, panel := t.part(part)
	cols := [2]int{panel * gemm.Rows, min((panel+t.panels)*gemm.Rows, t.W.Rows)}
	at := part * conv.WinogradProducts * t.strip
	source, products := t.source.Slice(at, at+conv.WinogradProducts*t.strip), t.products.Slice(at, at+conv.WinogradProducts*t.strip)
	weights := view[float32](t.W.parts[0].data)
	size := gemm.Panels(t.W.Rows) * t.Window.C * gemm.Rows
	d := gemm.Dims{Rows: cols[1] - cols[0], K: t.Window.C, DstStride: products.Stride, XStride: source.Stride}
	for ; from < to; from += t.strip {
		d.Tokens = min(t.strip, to-from)
		for i := range d.Tokens {
			t.transform(part, source.Data[i*source.Stride:], from+i)
		}
		for i := range conv.WinogradProducts {
			row := i * t.strip
			gemm.F32(products.Data[row*products.Stride:], source.Data[row*source.Stride:], weights[i*size+panel*t.Window.C*gemm.Rows:], d, false)
		}
		for i := range d.Tokens {
			t.output(part, products.Data[i*products.Stride:], from+i, cols)
		}
	}
}

// place returns a tile's image and its first output pixel.
func (t *winograding) place(tile int) (n, y, x int) {
	rows, cols := t.tiles()
	return tile / (rows * cols), tile / cols % rows * conv.WinogradTile, tile % cols * conv.WinogradTile
}

// transform writes a tile's transformed inputs, a strip apart.
func (t *winograding) transform(part int, dst []float32, tile int) {
	n, y, x := t.place(tile)
	g := &t.Window
	y, x = y-g.Top, x-g.Left
	stride := t.strip * t.source.Stride
	if !g.Halve && y >= 0 && x >= 0 && y+conv.WinogradInput <= g.H && x+conv.WinogradInput <= g.W {
		conv.WinogradSource(dst, stride, t.X.Data[((n*g.H+y)*g.W+x)*t.X.Stride:], g.W*t.X.Stride, t.X.Stride, g.C)
		return
	}
	border := t.border.Slice(part*conv.WinogradProducts, (part+1)*conv.WinogradProducts)
	for i := range conv.WinogradProducts {
		g.Pixel(border.Row(i), t.X.Data, n, y+i/conv.WinogradInput, x+i%conv.WinogradInput)
	}
	conv.WinogradSource(dst, stride, border.Data, conv.WinogradInput*border.Stride, border.Stride, g.C)
}

// output adds a tile's transformed products to what the outputs start from.
func (t *winograding) output(part int, m []float32, tile int, cols [2]int) {
	n, y, x := t.place(tile)
	g := &t.Window
	var out [4][]float32
	for i := range out {
		py, px := y+i/2, x+i%2
		if py >= g.OutH || px >= g.OutW {
			out[i] = t.unused.Row(part)[:cols[1]-cols[0]]
			continue
		}
		p := (n*g.OutH+py)*g.OutW + px
		t.start(p, 1, cols)
		out[i] = t.Dst.Row(p)[cols[0]:cols[1]]
	}
	conv.WinogradOutput(out[0], out[1], out[2], out[3], m, t.strip*t.products.Stride)
}
