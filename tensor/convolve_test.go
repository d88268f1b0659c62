package tensor

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mminfer/mminfer/kernels/conv"
)

// convolutionCase is random operands of a convolution in float64, and in a format.
type convolutionCase struct {
	Convolution
	rounded [][]float32 // the weight's rows as the product sees them
}

func randomMat(rng *rand.Rand, rows, cols int) Mat {
	m := Mat{rows, cols, cols + 3, make([]float32, rows*(cols+3))}
	for i := range m.Data {
		m.Data[i] = float32(rng.NormFloat64())
	}
	return m
}

func newConvolution(rng *rand.Rand, format Format, g conv.Window, out int) *convolutionCase {
	filters := Tensor{Name: "w", Type: F32, Shape: []int{out, g.C, g.KH, g.KW}, Data: make([]byte, 4*out*g.Cols())}
	for i := range out * g.Cols() {
		binary.LittleEndian.PutUint32(filters.Data[4*i:], math.Float32bits(float32(rng.NormFloat64())))
	}
	c := &convolutionCase{Convolution: Convolution{
		Dst: NewMat(g.Rows(), out), X: randomMat(rng, g.Pixels(), g.C), W: Pack(new(Arena), nil, format, Taps(filters)), Window: g,
		Bias: randomMat(rng, 1, out).Row(0), Sample: randomMat(rng, g.N, out), Plus: randomMat(rng, g.Rows(), out),
	}}
	for r := range out {
		row := make([]float32, g.Cols())
		c.W.Row(row, r)
		c.rounded = append(c.rounded, row)
	}
	return c
}

// check holds the result to the sum in float64: its rounding is at most one unit for each addition in a run, and one for
// each run; 8-bit activations are half a step of their block off.
func (c *convolutionCase) check(t *testing.T, name string) {
	t.Helper()
	patch, step := make([]float32, c.W.Cols), make([]float64, c.W.Cols)
	c.Window.PixelStride = c.X.Stride
	for p := range c.Dst.Rows {
		conv.Patches(patch, len(patch), c.X.Data, &c.Window, p, 1, 0, len(patch))
		for b := 0; b < len(patch); b += 32 {
			block := patch[b:min(b+32, len(patch))]
			most := 0.0
			for _, v := range block {
				most = max(most, math.Abs(float64(v)))
			}
			for i := range block {
				step[b+i] = most / 127 / 2
			}
		}
		n := p / (c.Window.OutH * c.Window.OutW)
		for o := range c.Dst.Cols {
			want := float64(c.Bias[o]) + float64(c.Sample.Row(n)[o]) + float64(c.Plus.Row(p)[o])
			magnitude, quantised := math.Abs(want)+3, 0.0
			for k, w := range c.rounded[o] {
				want += float64(w) * float64(patch[k])
				magnitude += math.Abs(float64(w) * float64(patch[k]))
				quantised += math.Abs(float64(w)) * step[k]
			}
			bound := float64(min(len(patch), 256)+len(patch)/256+4) * magnitude * 0x1p-24
			if c.W.Format == FormatQ8 {
				bound += quantised * (1 + 0x1p-20)
			}
			if got := float64(c.Dst.Row(p)[o]); !(math.Abs(got-want) <= bound) {
				t.Fatalf("%s: pixel %d, output %d: %v, want %v ± %.2g", name, p, o, got, want, bound)
			}
		}
	}
}

var convolutionWindows = []struct {
	g   conv.Window
	out int
}{
	{conv.Window{N: 2, H: 9, W: 7, C: 5, KH: 3, KW: 3, Step: 1, Top: 1, Left: 1, OutH: 9, OutW: 7}, 19},
	{conv.Window{N: 1, H: 8, W: 8, C: 40, KH: 3, KW: 3, Step: 2, OutH: 4, OutW: 4}, 70},
	{conv.Window{N: 3, H: 7, W: 9, C: 33, KH: 3, KW: 3, Step: 1, Top: 1, Left: 1, OutH: 7, OutW: 9, Halve: true}, 33},
	{conv.Window{N: 1, H: 15, W: 11, C: 300, KH: 1, KW: 1, Step: 1, OutH: 15, OutW: 11}, 130},
	{conv.Window{N: 1, H: 8, W: 8, C: 4, KH: 2, KW: 2, Step: 2, OutH: 4, OutW: 4}, 48},
}

func TestConvolve(t *testing.T) {
	for _, format := range []Format{FormatF32, FormatBF16, FormatF16, FormatQ8} {
		for _, w := range convolutionWindows {
			c := newConvolution(rand.New(rand.NewPCG(1, 2)), format, w.g, w.out)
			Convolve(&Workspace{}, c.Convolution)
			c.check(t, format.String())
		}
	}
}

// TestConvolveIsOne holds several threads, images beside others, and a sum in place to the same bits.
func TestConvolveIsOne(t *testing.T) {
	pool := NewPool(3)
	defer pool.Close()
	for _, format := range []Format{FormatF32, FormatF16, FormatQ8} {
		for _, w := range convolutionWindows {
			c := newConvolution(rand.New(rand.NewPCG(3, 4)), format, w.g, w.out)
			Convolve(&Workspace{}, c.Convolution)
			threads := c.Convolution
			threads.Dst = NewMat(c.Dst.Rows, c.Dst.Cols)
			for i := range c.Dst.Rows {
				copy(threads.Dst.Row(i), c.Plus.Row(i))
			}
			threads.Plus = threads.Dst
			Convolve(&Workspace{Pool: pool}, threads)
			sameMat(t, format.String()+", 3 threads, in place", threads.Dst, c.Dst)

			one, last := c.Convolution, w.g.N-1
			one.Window.N = 1
			pixels, area := one.Window.Pixels(), one.Window.Rows()
			one.X, one.Dst = c.X.Slice(last*pixels, (last+1)*pixels), NewMat(area, w.out)
			one.Sample, one.Plus = c.Sample.Slice(last, last+1), c.Plus.Slice(last*area, (last+1)*area)
			Convolve(&Workspace{}, one)
			sameMat(t, format.String()+", alone", one.Dst, c.Dst.Slice(last*area, (last+1)*area))
		}
	}
}

func sameMat(t *testing.T, name string, got, want Mat) {
	t.Helper()
	for i := range want.Rows {
		for j, v := range want.Row(i) {
			if math.Float32bits(got.Row(i)[j]) != math.Float32bits(v) {
				t.Fatalf("%s: [%d %d] = %v, want %v", name, i, j, got.Row(i)[j], v)
			}
		}
	}
}

func TestConvolveRefuses(t *testing.T) {
	w := convolutionWindows[0]
	c := newConvolution(rand.New(rand.NewPCG(1, 2)), FormatF32, w.g, w.out)
	for name, spoil := range map[string]func(*Convolution){
		"bias": func(c *Convolution) { c.Bias = c.Bias[1:] },
		"dst":  func(c *Convolution) { c.Dst = c.Dst.Slice(1, 4) },
		"x":    func(c *Convolution) { c.X = c.X.Columns(0, 2) },
		"plus": func(c *Convolution) { c.Plus = c.Plus.Slice(0, 2) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			spoiled := c.Convolution
			spoil(&spoiled)
			Convolve(&Workspace{}, spoiled)
		}()
	}
}

// BenchmarkConvolve is the middle convolution of Stable Diffusion's largest images and one of a small network's.
func BenchmarkConvolve(b *testing.B) {
	for _, s := range []struct {
		name   string
		h, w   int
		in     int
		format Format
	}{{"64x64x320/f32", 64, 64, 320, FormatF32}, {"32x32x128/f32", 32, 32, 128, FormatF32}, {"8x8x256/f32", 8, 8, 256, FormatF32}, {"32x32x128/q8", 32, 32, 128, FormatQ8}} {
		b.Run(s.name, func(b *testing.B) {
			g := conv.Window{N: 1, H: s.h, W: s.w, C: s.in, KH: 3, KW: 3, Step: 1, Top: 1, Left: 1, OutH: s.h, OutW: s.w}
			c := newConvolution(rand.New(rand.NewPCG(1, 2)), s.format, g, s.in)
			c.Sample, c.Plus = Mat{}, Mat{}
			ws := &Workspace{}
			for b.Loop() {
				Convolve(ws, c.Convolution)
			}
			b.ReportMetric(2*float64(g.Rows()*g.Cols()*s.in)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}
