package nn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// TileEmbed turns square tiles of a picture into rows of a model's width. A tile is cut into patches
// of P x P pixels, each of which is projected and gets a learned position; four patches, 2 x 2, side
// by side are the input of an MLP that gives one row. Rows go from left to right, then down.
//
// Source: HolisticEmbedding in hustvl/mmMamba@85143d0,
// src/model/hovle/modeling_holistic_embedding.py.
type TileEmbed struct {
	Patch     int       // P, pixels
	Embed     *Linear   // [D, 3·P·P]: the pixels of a patch by channel, row, column
	Grid      int       // patches along a side of the tile that Positions are for
	Positions []float32 // [Grid·Grid, D]
	Proj      *MLP      // from 4·D to D
}

// Rows returns the number of rows that a tile of so many pixels along a side becomes. Pixels beyond
// a whole number of pairs of patches are not seen.
func (e *TileEmbed) Rows(side int) int {
	n := side / e.Patch / 2
	return n * n
}

// Apply computes dst [n·Rows(side), D] from tiles [n, 3, side, side].
func (e *TileEmbed) Apply(dst tensor.Mat, tiles []float32, side int, ws *tensor.Workspace) {
	rows, size := e.Rows(side), 3*side*side
	for i := 0; i*size < len(tiles); i++ {
		e.tile(dst.Slice(i*rows, (i+1)*rows), tiles[i*size:(i+1)*size], side, ws)
	}
}

// tile embeds one tile. Its patches are taken in the order in which the MLP reads them, so that four
// rows of the projection are one row of the MLP's input.
func (e *TileEmbed) tile(dst tensor.Mat, pixels []float32, side int, ws *tensor.Workspace) {
	mark := ws.Mark()
	d, across := e.Embed.W.Rows, side/e.Patch/2
	patches := ws.Mat(4*dst.Rows, e.Embed.W.Cols)
	for i := range patches.Rows {
		row, col := place2x2(i, across)
		e.cut(patches.Row(i), pixels, side, row, col)
	}
	x := tensor.Mat{Rows: patches.Rows, Cols: d, Stride: d, Data: ws.Floats(patches.Rows * d)}
	e.Embed.Mul(x, patches, ws)
	position := ws.Floats(d)
	for i := range x.Rows {
		row, col := place2x2(i, across)
		e.position(position, row, col, side/e.Patch)
		vec.Add(x.Row(i), x.Row(i), position)
	}
	e.Proj.Mix(dst, tensor.Mat{Rows: dst.Rows, Cols: 4 * d, Stride: 4 * d, Data: x.Data}, nil, ws)
	ws.Release(mark)
}

// place2x2 returns where patch i is, of those that make up a number of pairs across.
func place2x2(i, across int) (row, col int) {
	pair := i / 4
	return pair/across*2 + i%4/2, pair%across*2 + i%2
}

// cut copies a patch, [3, P, P].
func (e *TileEmbed) cut(dst, pixels []float32, side, row, col int) {
	p := e.Patch
	for c := range 3 {
		for y := range p {
			copy(dst[(c*p+y)*p:][:p], pixels[(c*side+row*p+y)*side+col*p:])
		}
	}
}

// position computes the learned position of a patch, [D], in a grid of so many patches along a side:
// that of Positions where the grid is theirs, else one between them.
func (e *TileEmbed) position(dst []float32, row, col, grid int) {
	ys, yWeights := bicubic(row, e.Grid, grid)
	xs, xWeights := bicubic(col, e.Grid, grid)
	clear(dst)
	for i, y := range ys {
		for j, x := range xs {
			if w := float32(yWeights[i] * xWeights[j]); w != 0 {
				vec.Axpy(dst, w, e.Positions[(y*e.Grid+x)*len(dst):][:len(dst)])
			}
		}
	}
}

// bicubic returns which of n samples make up sample o of a resampling to size, and their weights:
// the cubic convolution of a = -0.75 at the samples' centres, the outermost samples repeated. Where
// the sizes agree, sample o has all the weight.
//
// Source: upsample_bicubic2d without align_corners in PyTorch 2.4, aten/src/ATen/native/UpSample.h.
func bicubic(o, n, size int) (at [4]int, weights [4]float64) {
	const a = -0.75
	near := func(x float64) float64 { return float64((float64((a+2)*x)-(a+3))*float64(x*x)) + 1 }
	far := func(x float64) float64 {
		return float64((float64((float64(a*x)-5*a)*x)+8*a)*x) - 4*a
	}
	source := float64((float64(o)+0.5)*(float64(n)/float64(size))) - 0.5
	first := math.Floor(source)
	t := source - first
	weights = [4]float64{far(t + 1), near(t), near(1 - t), far(2 - t)}
	for i := range at {
		at[i] = min(max(int(first)-1+i, 0), n-1)
	}
	return at, weights
}
