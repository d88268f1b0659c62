package conv

import "fmt"

// Winograd's minimal filtering F(2×2, 3×3) computes a tile of 2×2 outputs from 4×4 inputs with 16 products for each
// pair of channels instead of 36:
//
//	Y = Aᵀ·[ (G·g·Gᵀ) ⊙ (Bᵀ·d·B) ]·A
//
//	     ⎡1  0 -1  0⎤       ⎡ 1  0  0⎤
//	Bᵀ = ⎢0  1  1  0⎥   G = ⎢ ½  ½  ½⎥   Aᵀ = ⎡1  1  1  0⎤
//	     ⎢0 -1  1  0⎥       ⎢ ½ -½  ½⎥        ⎣0  1 -1 -1⎦
//	     ⎣0  1  0 -1⎦       ⎣ 0  0  1⎦
//
// Source: Lavin and Gray 2016, arXiv:1509.09308, section 4.1.
const (
	// WinogradTile is the outputs of a tile on a side.
	WinogradTile = 2
	// WinogradInput is the inputs of a tile on a side.
	WinogradInput = 4
	// WinogradProducts is the number of elements of a transformed tile.
	WinogradProducts = WinogradInput * WinogradInput
)

// WinogradFilter computes u = G·g·Gᵀ of one filter g [3, 3], in float64, rounded once.
func WinogradFilter(u *[WinogradProducts]float32, g *[9]float32) {
	var t [4][3]float64 // G·g
	for j := range 3 {
		a, b, c := float64(g[j]), float64(g[3+j]), float64(g[6+j])
		t[0][j], t[1][j], t[2][j], t[3][j] = a, (a+b+c)/2, (a-b+c)/2, c
	}
	for i, r := range t {
		a, b, c := r[0], r[1], r[2]
		u[4*i], u[4*i+1], u[4*i+2], u[4*i+3] = float32(a), float32((a+b+c)/2), float32((a-b+c)/2), float32(c)
	}
}

// WinogradSource computes dst = Bᵀ·d·B for every channel of a tile, rows first:
//
//	(d0 - d2, d1 + d2, d2 - d1, d1 - d3)
//
// Shapes: dst [16, C], rows dstStride elements apart; x holds the tile's pixels, row and column elements apart, each [C].
// They do not overlap. It panics if the sizes disagree.
func WinogradSource(dst []float32, dstStride int, x []float32, row, column, channels int) {
	if channels < 1 || dstStride < channels || column < channels || row < 0 || len(dst) < 15*dstStride+channels || len(x) < 3*row+3*column+channels {
		panic(fmt.Sprintf("conv.WinogradSource: len(dst)=%d, rows %d apart, len(x)=%d, rows %d and columns %d apart, %d channels", len(dst), dstStride, len(x), row, column, channels))
	}
	winogradSource(dst, dstStride, x, row, column, channels)
}

// WinogradOutput adds Y = Aᵀ·m·A to the four outputs of a tile for every channel, rows first:
//
//	y += (m0 + m1 + m2, m1 - m2 - m3)
//
// Shapes: m [16, C], rows stride elements apart; y00, y01, y10, y11 [C]. They do not overlap. It panics if the sizes disagree.
func WinogradOutput(y00, y01, y10, y11, m []float32, stride int) {
	c := len(y00)
	if c < 1 || len(y01) != c || len(y10) != c || len(y11) != c || stride < c || len(m) < 15*stride+c {
		panic(fmt.Sprintf("conv.WinogradOutput: outputs of %d, %d, %d, %d, len(m)=%d, rows %d apart", c, len(y01), len(y10), len(y11), len(m), stride))
	}
	winogradOutput(y00, y01, y10, y11, m, stride)
}

// winogradSourceGeneric transforms the channels from one on.
func winogradSourceGeneric(dst []float32, dstStride int, x []float32, row, column, channels, from int) {
	for c := from; c < channels; c++ {
		var t [4][4]float32 // Bᵀ·d
		for j := range 4 {
			at := j*column + c
			d0, d1, d2, d3 := x[at], x[row+at], x[2*row+at], x[3*row+at]
			t[0][j], t[1][j], t[2][j], t[3][j] = d0-d2, d1+d2, d2-d1, d1-d3
		}
		for i, r := range t {
			out := dst[4*i*dstStride+c:]
			out[0], out[dstStride], out[2*dstStride], out[3*dstStride] = r[0]-r[2], r[1]+r[2], r[2]-r[1], r[1]-r[3]
		}
	}
}

// winogradOutputGeneric transforms the channels from one on.
func winogradOutputGeneric(y00, y01, y10, y11, m []float32, stride, from int) {
	for c := from; c < len(y00); c++ {
		var s [2][4]float32 // Aᵀ·m
		for j := range 4 {
			at := j*stride + c
			m0, m1, m2, m3 := m[at], m[4*stride+at], m[8*stride+at], m[12*stride+at]
			s[0][j], s[1][j] = m0+m1+m2, m1-m2-m3
		}
		y00[c] += s[0][0] + s[0][1] + s[0][2]
		y01[c] += s[0][1] - s[0][2] - s[0][3]
		y10[c] += s[1][0] + s[1][1] + s[1][2]
		y11[c] += s[1][1] - s[1][2] - s[1][3]
	}
}
