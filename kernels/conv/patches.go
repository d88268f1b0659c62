package conv

import "fmt"

// Window says which pixels of images a convolution over two dimensions sees. Pixels lie [N, H, W] and
// their channels, C, side by side.
type Window struct {
	N, H, W, C  int // images that are convolved
	KH, KW      int // taps
	Step        int // pixels from one output to the next
	Top, Left   int // zeros before the first row and column; those after the last follow from OutH and OutW
	OutH, OutW  int
	Halve       bool // the pixels lie [N, ⌈H/2⌉, ⌈W/2⌉]: pixel (y, x) is number (y/2, x/2), as nearest-neighbour upsampling has it
	PixelStride int  // elements from one pixel to the next
}

// Rows returns the number of output pixels.
func (g *Window) Rows() int { return g.N * g.OutH * g.OutW }

// Cols returns the number of inputs of an output pixel.
func (g *Window) Cols() int { return g.KH * g.KW * g.C }

// Pixels returns the number of pixels that x holds.
func (g *Window) Pixels() int {
	h, w := g.stored()
	return g.N * h * w
}

// stored is the size of an image in memory.
func (g *Window) stored() (h, w int) {
	if g.Halve {
		return (g.H + 1) / 2, (g.W + 1) / 2
	}
	return g.H, g.W
}

// Pointwise reports whether output pixel i sees input pixel i and no other.
func (g *Window) Pointwise() bool {
	return g.KH == 1 && g.KW == 1 && g.Step == 1 && g.OutH == g.H && g.OutW == g.W && g.Top == 0 && g.Left == 0 && !g.Halve
}

// Patches lays the inputs of some output pixels side by side, so that a convolution is a product:
//
//	dst[i, (ky·KW + kx)·C + c - from] = x[n, y·Step + ky - Top, x·Step + kx - Left, c]
//
// for output pixel first+i, at (n, y, x), and for columns from to to-1 of the right-hand sum; beyond the
// image's edge it is 0. Shapes: dst [rows, to-from], rows dstStride elements apart; x [Pixels, C], rows
// PixelStride apart. They do not overlap. It panics if the sizes disagree.
func Patches(dst []float32, dstStride int, x []float32, g *Window, first, rows, from, to int) {
	g.check(len(dst), dstStride, len(x), first, rows, from, to)
	for i := range rows {
		row := dst[i*dstStride:][:to-from]
		n, p := (first+i)/(g.OutH*g.OutW), (first+i)%(g.OutH*g.OutW)
		top, left := p/g.OutW*g.Step-g.Top, p%g.OutW*g.Step-g.Left
		for col := from; col < to; {
			tap, c := col/g.C, col%g.C
			end := min(col+g.C-c, to)
			part := row[col-from : end-from]
			col = end
			if at := g.at(n, top+tap/g.KW, left+tap%g.KW); at >= 0 {
				copy(part, x[at+c:])
			} else {
				clear(part)
			}
		}
	}
}

// Pixel copies the channels of pixel (y, x) of image n to dst [C]: zeros beyond the image's edge.
func (g *Window) Pixel(dst, from []float32, n, y, x int) {
	if at := g.at(n, y, x); at >= 0 {
		copy(dst[:g.C], from[at:])
	} else {
		clear(dst[:g.C])
	}
}

// at is where a pixel lies, -1 beyond the image's edge.
func (g *Window) at(n, y, x int) int {
	if uint(y) >= uint(g.H) || uint(x) >= uint(g.W) {
		return -1
	}
	h, w := g.stored()
	if g.Halve {
		y, x = y>>1, x>>1
	}
	return ((n*h+y)*w + x) * g.PixelStride
}

func (g *Window) check(dst, dstStride, x, first, rows, from, to int) {
	switch {
	case g.N < 0 || g.H < 1 || g.W < 1 || g.C < 1 || g.KH < 1 || g.KW < 1 || g.Step < 1 || g.OutH < 1 || g.OutW < 1 || g.PixelStride < g.C:
		panic(fmt.Sprintf("conv.Patches: bad sizes %+v", *g))
	case first < 0 || rows < 0 || first+rows > g.Rows() || from < 0 || from > to || to > g.Cols():
		panic(fmt.Sprintf("conv.Patches: %d rows from %d, columns %d to %d of %+v", rows, first, from, to, *g))
	}
	if p := g.Pixels(); rows > 0 && (dstStride < to-from || dst < (rows-1)*dstStride+to-from || x < (p-1)*g.PixelStride+g.C) {
		panic(fmt.Sprintf("conv.Patches: %+v: len(dst)=%d for %d rows %d apart, len(x)=%d", *g, dst, rows, dstStride, x))
	}
}
