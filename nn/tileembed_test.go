package nn

import (
	"fmt"
	"math"
	"testing"

	"github.com/mminfer/mminfer/tensor"
)

// tileEmbed returns a front end of width d whose positions are for a grid of n patches a side.
func tileEmbed(w *weights, d, patch, n int) *TileEmbed {
	e := &TileEmbed{
		Patch: patch, Embed: w.linear(d, 3*patch*patch), Grid: n, Positions: w.vec(n * n * d),
		Proj: &MLP{Act: GELU, Up: w.linear(d, 4*d), Down: w.linear(d, d)},
	}
	e.Embed.Bias, e.Proj.Up.Bias, e.Proj.Down.Bias = w.vec(d), w.vec(d), w.vec(d)
	w.p.Load(&w.arena, nil, nil)
	return e
}

// tileReference computes a tile in float64: row by row of patches, then shuffled. Beside each value
// it sums the terms' sizes, from which the bound is.
func tileReference(e *TileEmbed, pixels []float32, side int) (out [][2]float64) {
	d, g := e.Embed.W.Rows, side/e.Patch
	x := make([][]float64, g*g)
	row := make([]float32, 4*e.Embed.W.Cols+4*d)
	for i := range x {
		for o := range d {
			e.Embed.W.Row(row, o)
			sum, at := float64(e.Embed.Bias[o]), 0
			for c := range 3 {
				for y := range e.Patch {
					for z := range e.Patch {
						sum += float64(row[at]) * float64(pixels[(c*side+i/g*e.Patch+y)*side+i%g*e.Patch+z])
						at++
					}
				}
			}
			x[i] = append(x[i], sum+positionReference(e, i/g, i%g, g, o, d))
		}
	}
	for i := range g * g / 4 {
		top := i/(g/2)*2*g + i%(g/2)*2
		in := append(append(append(append([]float64(nil), x[top]...), x[top+1]...), x[top+g]...), x[top+g+1]...)
		hidden := make([]float64, d)
		for o := range d {
			e.Proj.Up.W.Row(row, o)
			hidden[o] = float64(e.Proj.Up.Bias[o])
			for k, v := range in {
				hidden[o] += float64(row[k]) * v
			}
			hidden[o] *= 0.5 * (1 + math.Erf(hidden[o]/math.Sqrt2))
		}
		for o := range d {
			e.Proj.Down.W.Row(row, o)
			sum, size := float64(e.Proj.Down.Bias[o]), math.Abs(float64(e.Proj.Down.Bias[o]))
			for k, v := range hidden {
				sum += float64(row[k]) * v
				size += math.Abs(float64(row[k])) * (math.Abs(v) + 10*float64(d))
			}
			out = append(out, [2]float64{sum, size})
		}
	}
	return out
}

// positionReference is the cubic convolution at a place, written as the sum over all samples.
func positionReference(e *TileEmbed, row, col, g, o, d int) (sum float64) {
	kernel := func(x float64) float64 {
		const a = -0.75
		switch x = math.Abs(x); {
		case x < 1:
			return (a+2)*x*x*x - (a+3)*x*x + 1
		case x < 2:
			return a * (x*x*x - 5*x*x + 8*x - 4)
		}
		return 0
	}
	at := func(i int) float64 { return (float64(i)+0.5)*float64(e.Grid)/float64(g) - 0.5 }
	for y := -2; y < e.Grid+2; y++ {
		for x := -2; x < e.Grid+2; x++ {
			p := min(max(y, 0), e.Grid-1)*e.Grid + min(max(x, 0), e.Grid-1)
			sum += kernel(at(row)-float64(y)) * kernel(at(col)-float64(x)) * float64(e.Positions[p*d+o])
		}
	}
	return sum
}

// TestTileEmbed compares tiles of the positions' size, smaller and larger, and of a side that leaves
// pixels over, with the computation in float64.
func TestTileEmbed(t *testing.T) {
	const d, patch = 7, 5
	w := newWeights(d)
	e := tileEmbed(w, d, patch, 4)
	for _, side := range []int{20, 10, 30, 43} {
		n := 3 * side * side
		tiles := gaussian(w.rng, 2*n, 1)
		rows := e.Rows(side)
		want := append(tileReference(e, tiles[:n], side), tileReference(e, tiles[n:], side)...)
		var first tensor.Mat
		for _, threads := range []int{1, 3} {
			pool := tensor.NewPool(threads)
			defer pool.Close()
			ws := &tensor.Workspace{Pool: pool}
			fill(ws.Floats(1<<16), float32(math.NaN()))
			ws.Release(tensor.Mark{})
			dst := tensor.NewMat(2*rows, d)
			e.Apply(dst, tiles, side, ws)
			if first.Data == nil {
				first = dst
			}
			same(t, fmt.Sprintf("side %d on %d threads", side, threads), dst.Data, first.Data)
		}
		if len(want) != len(first.Data) {
			t.Fatalf("side %d: %d numbers, want %d", side, len(first.Data), len(want))
		}
		// Terms of the inner sums are bounded by 10·d in the size, of which there are at most 3·P².
		for i, v := range want {
			if bound := 3 * patch * patch * 0x1p-24 * v[1]; !(math.Abs(float64(first.Data[i])-v[0]) <= bound) {
				t.Fatalf("side %d: number %d is %v, want %v ± %.2g", side, i, first.Data[i], v[0], bound)
			}
		}
		alone := tensor.NewMat(rows, d)
		e.Apply(alone, tiles[n:], side, new(tensor.Workspace))
		same(t, "the second tile alone", alone.Data, first.Data[rows*d:])
	}
}

// TestBicubic: a grid of the same size is taken as it is, bit for bit, and weights sum to 1.
func TestBicubic(t *testing.T) {
	for n := 1; n < 40; n++ {
		for o := range n {
			if at, w := bicubic(o, n, n); w != [4]float64{0, 1, 0, 0} || at[1] != o {
				t.Fatalf("sample %d of %d: %v of %v", o, n, w, at)
			}
		}
		for o := range 17 {
			at, w := bicubic(o, n, 17)
			if sum := w[0] + w[1] + w[2] + w[3]; !(math.Abs(sum-1) <= 1e-14) {
				t.Errorf("sample %d of 17 of %d: the weights sum to %v", o, n, sum)
			}
			if at[0] < 0 || at[3] >= n {
				t.Errorf("sample %d of 17 of %d: samples %v", o, n, at)
			}
		}
	}
}
