package tensor

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/internal/cputime"
	"github.com/mminfer/mminfer/kernels/conv"
	"github.com/mminfer/mminfer/kernels/quant"
)

// convolutionCase is random operands of a convolution in float64, and in a format.
type convolutionCase struct {
	Convolution
	rounded [][]float32 // the weight's rows as the product sees them
	filters Tensor
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
		Dst: NewMat(g.Rows(), out), X: randomMat(rng, g.Pixels(), g.C), W: Pack(new(Arena), nil, format, Taps(new(Arena), filters)), Window: g,
		Bias: randomMat(rng, 1, out).Row(0), Sample: randomMat(rng, g.N, out), Plus: randomMat(rng, g.Rows(), out),
	}}
	for r := range out {
		row := make([]float32, g.Cols())
		c.W.Row(row, r)
		c.rounded = append(c.rounded, row)
	}
	c.filters = filters
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
				if step[b+i] = most / 127 / 2; c.W.Format == FormatBF16Dot {
					step[b+i] = math.Abs(float64(block[i])) * 0x1p-8
				}
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
			if c.W.Format.Quantised() || c.W.Format == FormatBF16Dot {
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

// winogradWindows are those that Winograd's filtering does.
var winogradWindows = []struct {
	g   conv.Window
	out int
}{
	{conv.Window{N: 2, H: 9, W: 7, C: 5, KH: 3, KW: 3, Step: 1, Top: 1, Left: 1, OutH: 9, OutW: 7}, 19},
	{conv.Window{N: 3, H: 7, W: 9, C: 33, KH: 3, KW: 3, Step: 1, Top: 1, Left: 1, OutH: 7, OutW: 9, Halve: true}, 33},
	{conv.Window{N: 1, H: 24, W: 26, C: 40, KH: 3, KW: 3, Step: 1, Top: 1, Left: 1, OutH: 24, OutW: 26}, 130},
	{conv.Window{N: 1, H: 1, W: 1, C: 300, KH: 3, KW: 3, Step: 1, Top: 1, Left: 1, OutH: 1, OutW: 1}, 16},
}

// TestWinograd holds convolutions by Winograd's filtering to the sum in float64: a tile's transforms and products round some
// forty times more, and their numbers are up to 16·9/4 times as large as the sum's for the inputs of a tile instead of a patch. It is one result, too.
func TestWinograd(t *testing.T) {
	pool := NewPool(3)
	defer pool.Close()
	for _, w := range winogradWindows {
		c := newConvolution(rand.New(rand.NewPCG(5, 6)), FormatF32, w.g, w.out)
		direct := c.Convolution
		direct.Dst = NewMat(c.Dst.Rows, c.Dst.Cols)
		Convolve(&Workspace{}, direct)
		fast := c.Convolution
		fast.W = PackWinograd(new(Arena), pool, c.filters)
		Convolve(&Workspace{}, fast)
		// Σ|w·x| of a tile of normal numbers is about 16·C·(2/π); its spread is far below that.
		bound := float64(w.g.C+40) * 0x1p-24 * 16 * float64(w.g.C) * 9 / 4
		for i := range c.Dst.Rows {
			for j, v := range direct.Dst.Row(i) {
				if d := math.Abs(float64(fast.Dst.Row(i)[j] - v)); !(d <= bound) {
					t.Fatalf("%+v: [%d %d] = %v, want %v ± %.2g", w.g, i, j, fast.Dst.Row(i)[j], v, bound)
				}
			}
		}
		threads := fast
		threads.Dst = NewMat(c.Dst.Rows, c.Dst.Cols)
		for i := range c.Dst.Rows {
			copy(threads.Dst.Row(i), c.Plus.Row(i))
		}
		threads.Plus = threads.Dst
		Convolve(&Workspace{Pool: pool}, threads)
		sameMat(t, "3 threads, in place", threads.Dst, fast.Dst)
		one, last := fast, w.g.N-1
		one.Window.N = 1
		pixels, area := one.Window.Pixels(), one.Window.Rows()
		one.X, one.Dst = c.X.Slice(last*pixels, (last+1)*pixels), NewMat(area, w.out)
		one.Sample, one.Plus = c.Sample.Slice(last, last+1), c.Plus.Slice(last*area, (last+1)*area)
		Convolve(&Workspace{}, one)
		sameMat(t, "alone", one.Dst, fast.Dst.Slice(last*area, (last+1)*area))
	}
}

func TestConvolve(t *testing.T) {
	for _, format := range []Format{FormatF32, FormatBF16, FormatF16, FormatBF16Dot, FormatQ8, FormatQ4L} {
		for _, w := range convolutionWindows {
			c := newConvolution(rand.New(rand.NewPCG(1, 2)), format, w.g, w.out)
			Convolve(&Workspace{}, c.Convolution)
			c.check(t, format.String())
		}
	}
}

// TestPatchesFitInCache: what a thread lays side by side for a product is at most 512 KB, the second-level cache of a core, for every convolution of Stable
// Diffusion 1.5, whatever the size of the picture; a whole image's patches would be up to 2.4 GB.
func TestPatchesFitInCache(t *testing.T) {
	const cache = 512 << 10
	ws := &Workspace{}
	for _, format := range []Format{FormatF32, FormatBF16, FormatF16, FormatBF16Dot, FormatQ8, FormatQ4} {
		for _, s := range []struct{ side, in, out int }{
			{64, 4, 320}, {64, 320, 320}, {64, 960, 320}, {32, 1920, 640}, {16, 2560, 1280}, {8, 2560, 1280}, {512, 256, 128}, {512, 128, 3},
		} {
			g := conv.Window{N: 2, H: s.side, W: s.side, C: s.in, KH: 3, KW: 3, Step: 1, Top: 1, Left: 1, OutH: s.side, OutW: s.side}
			c := Convolution{Window: g, Dst: Mat{Rows: g.Rows(), Cols: s.out}, W: &Weight{Format: format, Rows: s.out, Cols: g.Cols()}}
			mark := ws.Mark()
			var p convolving
			p.plan(c, ws)
			size := 4 * p.strip * (p.patches.Stride + p.pairs.stride)
			if format.Quantised() {
				size = 3*p.strip*quant.Stride(g.Cols()) + 8*p.strip*quant.Blocks(g.Cols())
			}
			if size > cache {
				t.Errorf("%v, %+v: %d bytes of %d rows", format, s, size, p.strip)
			}
			ws.Release(mark)
		}
	}
}

// TestConvolveParts: a weight of several formats gives what each of them does.
func TestConvolveParts(t *testing.T) {
	w := convolutionWindows[0]
	var both []Tensor
	var alone []*convolutionCase
	for i, format := range []Format{FormatF32, FormatF16} {
		c := newConvolution(rand.New(rand.NewPCG(7, uint64(i))), format, w.g, w.out)
		half := Taps(new(Arena), c.filters)
		if format == FormatF16 {
			half.Type, half.Data = F16, nil
			for _, row := range c.rounded {
				for _, v := range row {
					half.Data = binary.LittleEndian.AppendUint16(half.Data, float16.Fromfloat32(v).Bits())
				}
			}
		}
		both, alone = append(both, half), append(alone, c)
	}
	c := alone[0].Convolution
	c.W, c.Dst, c.Bias, c.Sample = Pack(new(Arena), nil, FormatAuto, both...), NewMat(w.g.Rows(), 2*w.out), append(append([]float32(nil), c.Bias...), c.Bias...), Mat{}
	c.Plus = Mat{}
	Convolve(&Workspace{}, c)
	for i := range alone {
		one := alone[0].Convolution
		one.W, one.Dst, one.Sample, one.Plus = alone[i].W, NewMat(w.g.Rows(), w.out), Mat{}, Mat{}
		Convolve(&Workspace{}, one)
		sameMat(t, "part", c.Dst.Columns(i*w.out, (i+1)*w.out), one.Dst)
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

// BenchmarkConvolve is the middle convolution of Stable Diffusion's largest images, and smaller ones. GFLOP/s count the
// convolution's own products, also where Winograd's filtering does with fewer.
func BenchmarkConvolve(b *testing.B) {
	for _, s := range []struct{ side, channels int }{{64, 320}, {32, 128}, {16, 256}, {8, 256}, {4, 256}, {24, 32}, {8, 1280}} {
		for _, by := range []string{"f32", "f32-winograd", "bf16", "q8"} {
			b.Run(fmt.Sprintf("size=%dx%dx%d/by=%s", s.side, s.side, s.channels, by), func(b *testing.B) {
				g := conv.Window{N: 1, H: s.side, W: s.side, C: s.channels, KH: 3, KW: 3, Step: 1, Top: 1, Left: 1, OutH: s.side, OutW: s.side}
				format, err := ParseFormat(strings.TrimSuffix(by, "-winograd"))
				if err != nil {
					b.Fatal(err)
				}
				c := newConvolution(rand.New(rand.NewPCG(1, 2)), format, g, s.channels)
				c.Sample, c.Plus = Mat{}, Mat{}
				if strings.HasSuffix(by, "winograd") {
					c.W = PackWinograd(new(Arena), nil, c.filters)
				}
				ws := &Workspace{}
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				Convolve(ws, c.Convolution)
				start := cputime.Thread()
				for b.Loop() {
					Convolve(ws, c.Convolution)
				}
				b.ReportMetric(2*float64(g.Rows()*g.Cols()*s.channels)*float64(b.N)/(cputime.Thread()-start).Seconds()/1e9, "GFLOP/CPU-s")
			})
		}
	}
}
