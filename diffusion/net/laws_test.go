package net_test

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// network is one of the networks as a function of numbered samples.
type network struct {
	name         string
	in, out      int // channels
	grow, shrink int // of height and width
	grain        int // height and width are multiples of it
	make         func(t testing.TB, ck net.Checkpoint, o net.Options) forward
}

// forward runs samples of h×w.
type forward func(dst, x []float32, h, w int, samples []int, p *net.Pass) error

var networks = []network{
	{"unet2d_ddpm", 3, 3, 1, 1, 4, func(t testing.TB, ck net.Checkpoint, o net.Options) forward {
		u, err := net.NewUNet2D(ck, o)
		ready(t, u, err)
		return func(dst, x []float32, h, w int, s []int, p *net.Pass) error {
			return u.Forward(dst, x, len(s), h, w, times(s), nil, p)
		}
	}},
	{"sd_unet_conv1x1", 4, 4, 1, 1, 1, func(t testing.TB, ck net.Checkpoint, o net.Options) forward {
		u, err := net.NewUNet2DCondition(ck, o)
		ready(t, u, err)
		return func(dst, x []float32, h, w int, s []int, p *net.Pass) error {
			text := randoms(s, 7*24)
			ctx, err := u.Context(tensor.Mat{Rows: 7 * len(s), Cols: 24, Stride: 24, Data: text}, len(s), p)
			if err != nil {
				return err
			}
			return u.Forward(dst, x, len(s), h, w, times(s), ctx, nil, p)
		}
	}},
	{"dit", 4, 8, 1, 1, 2, func(t testing.TB, ck net.Checkpoint, o net.Options) forward {
		d, err := net.NewDiT(ck, o)
		ready(t, d, err)
		return func(dst, x []float32, h, _ int, s []int, p *net.Pass) error {
			classes := make([]int32, len(s))
			for i, n := range s {
				classes[i] = int32(3*n) % 11
			}
			return d.Forward(dst, x, len(s), h, times(s), classes, p)
		}
	}},
	{"vae_kl", 4, 3, 2, 1, 1, func(t testing.TB, ck net.Checkpoint, o net.Options) forward {
		v, err := net.NewVAE(ck, o)
		ready(t, v, err)
		return func(dst, x []float32, h, w int, s []int, p *net.Pass) error { return v.Decode(dst, x, len(s), h, w, p) }
	}},
	{"vae_kl", 3, 8, 1, 2, 2, func(t testing.TB, ck net.Checkpoint, o net.Options) forward {
		v, err := net.NewVAE(ck, o)
		ready(t, v, err)
		return func(dst, x []float32, h, w int, s []int, p *net.Pass) error { return v.Encode(dst, x, len(s), h, w, p) }
	}},
	{"taesd", 4, 3, 8, 1, 1, func(t testing.TB, ck net.Checkpoint, o net.Options) forward {
		a, err := net.NewTAESD(ck, o)
		ready(t, a, err)
		return func(dst, x []float32, h, w int, s []int, p *net.Pass) error { return a.Decode(dst, x, len(s), h, w, p) }
	}},
	{"taesd", 3, 4, 1, 8, 8, func(t testing.TB, ck net.Checkpoint, o net.Options) forward {
		a, err := net.NewTAESD(ck, o)
		ready(t, a, err)
		return func(dst, x []float32, h, w int, s []int, p *net.Pass) error { return a.Encode(dst, x, len(s), h, w, p) }
	}},
}

// ready ends the test on an error, and frees a network at its end.
func ready(t testing.TB, n interface{ Close() }, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
}

// randoms are n normal numbers of each sample.
func randoms(samples []int, n int) (x []float32) {
	for _, s := range samples {
		rng := rand.New(rand.NewPCG(uint64(s), uint64(n)))
		for range n {
			x = append(x, float32(rng.NormFloat64()))
		}
	}
	return x
}

// times are the time of each sample.
func times(samples []int) (t []float64) {
	for _, s := range samples {
		t = append(t, 17.25+211*float64(s))
	}
	return t
}

// run runs samples of a network.
func (n *network) run(t testing.TB, f forward, h, w int, samples []int, p *net.Pass) []float32 {
	t.Helper()
	if n.name == "dit" {
		w = h
	}
	dst := make([]float32, len(samples)*n.out*h*n.grow/n.shrink*w*n.grow/n.shrink)
	for i := range dst {
		dst[i] = float32(math.NaN())
	}
	if err := f(dst, randoms(samples, n.in*h*w), h, w, samples, p); err != nil {
		t.Fatal(err)
	}
	return dst
}

func sameBits(t testing.TB, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) || want[i] != want[i] {
			t.Fatalf("%s: element %d of %d: %v, want %v", what, i, len(want), got[i], want[i])
		}
	}
}

// TestLargeBatch: samples have the bits that each alone has where a batch is computed piece by piece: beyond the rows of one attention, the
// floats of one feed and those of a mapped buffer.
func TestLargeBatch(t *testing.T) {
	if testing.Short() {
		t.Skip("18000 rows take long without assembly")
	}
	const h, w = 41, 40
	n := &networks[1]
	f := n.make(t, open(t, n.name), net.Options{})
	pool := tensor.NewPool(2)
	defer pool.Close()
	p := &net.Pass{WS: &tensor.Workspace{Pool: pool}}
	samples := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	all := n.run(t, f, h, w, samples, p)
	for _, s := range []int{3, 10} {
		sameBits(t, "a sample alone", all[s*n.out*h*w:(s+1)*n.out*h*w], n.run(t, f, h, w, []int{s}, p))
	}
}

// TestOneResult: a sample has the same bits on any number of threads and beside any others, at other times and of other
// classes, in a workspace that other sizes went through, and while someone looks on.
func TestOneResult(t *testing.T) {
	pool := tensor.NewPool(3)
	defer pool.Close()
	for _, n := range networks {
		f := n.make(t, open(t, n.name), net.Options{})
		h, w := 2*n.grain, 3*n.grain
		shared := &net.Pass{WS: &tensor.Workspace{Pool: pool}}
		batch := n.run(t, f, h, w, []int{4, 0, 7}, shared)
		size := len(batch) / 3
		n.run(t, f, h+n.grain, h, []int{1}, shared)
		sameBits(t, n.name+": again", n.run(t, f, h, w, []int{4, 0, 7}, shared), batch)
		for i, s := range []int{4, 0, 7} {
			one := &net.Pass{WS: new(tensor.Workspace), Finite: i == 1}
			if i == 2 {
				one.Block = func(string, nn.Image) {}
			}
			sameBits(t, n.name+": alone", n.run(t, f, h, w, []int{s}, one), batch[i*size:(i+1)*size])
		}
	}
}

// TestAnySize: odd heights and widths.
func TestAnySize(t *testing.T) {
	sizes := [][2]int{{1, 1}, {3, 5}, {15, 17}, {2, 31}}
	if testing.Short() {
		sizes = sizes[:2]
	}
	for _, n := range networks {
		f := n.make(t, open(t, n.name), net.Options{})
		for _, size := range sizes {
			h, w := size[0]*n.grain, size[1]*n.grain
			if n.name == "dit" {
				w = h
			}
			for i, v := range n.run(t, f, h, w, []int{1, 2}, &net.Pass{WS: new(tensor.Workspace)}) {
				if v-v != 0 {
					t.Fatalf("%s: %d×%d: element %d is %v", n.name, h, w, i, v)
				}
			}
		}
	}
}

// typed is a checkpoint whose tensors are of another type.
type typed struct {
	net.Checkpoint
	as tensor.Type
}

func (c typed) Tensor(name string) (tensor.Tensor, bool) {
	t, ok := c.Checkpoint.Tensor(name)
	if !ok {
		return t, ok
	}
	v := make([]float32, t.Elements())
	t.Floats(v, 0)
	t.Type, t.Data = c.as, nil
	for _, x := range v {
		switch c.as {
		case tensor.F16:
			t.Data = binary.LittleEndian.AppendUint16(t.Data, float16.Fromfloat32(x).Bits())
		case tensor.BF16:
			t.Data = binary.LittleEndian.AppendUint16(t.Data, uint16(math.Float32bits(x)>>16))
		}
	}
	return t, true
}

// TestFormats: weights of 16 bits give what the same numbers give in float32. With 8 bits every weight and activation is off
// by at most 1/254 of the largest of its block, some three parts in a thousand of a product; a few dozen layers after one another keep that
// below a tenth.
func TestFormats(t *testing.T) {
	for _, n := range networks {
		h, w := 8*n.shrink, 8*n.shrink
		if testing.Short() {
			h, w = n.grain, n.grain
		}
		run := func(ck net.Checkpoint, format tensor.Format) []float32 {
			return n.run(t, n.make(t, ck, net.Options{Format: format, Plain: true}), h, w, []int{5}, &net.Pass{WS: new(tensor.Workspace)})
		}
		ck := open(t, n.name)
		for as, format := range map[tensor.Type]tensor.Format{tensor.F16: tensor.FormatF16, tensor.BF16: tensor.FormatBF16} {
			sameBits(t, n.name+" "+format.String(), run(typed{ck, as}, format), run(typed{ck, as}, tensor.FormatF32))
		}
		full, eight := run(ck, tensor.FormatF32), run(ck, tensor.FormatQ8)
		var off, all float64
		for i, v := range full {
			off += math.Pow(float64(eight[i]-v), 2)
			all += float64(v) * float64(v)
		}
		if share := math.Sqrt(off / all); !(share <= 0.1) || share == 0 {
			t.Errorf("%s: q8 is off by %.2g of the output", n.name, share)
		}
	}
}

// spoiled is a checkpoint with one element of a tensor replaced.
type spoiled struct {
	net.Checkpoint
	name  string
	value float32
}

func (c spoiled) Tensor(name string) (tensor.Tensor, bool) {
	t, ok := c.Checkpoint.Tensor(name)
	if ok && name == c.name {
		t.Data = append([]byte(nil), t.Data...)
		binary.LittleEndian.PutUint32(t.Data, math.Float32bits(c.value))
	}
	return t, ok
}

// TestFinite: the first block with a NaN or an infinity is named, if one asks, and only then.
func TestFinite(t *testing.T) {
	for _, c := range []struct {
		network      int
		tensor, want string
		value        float64
	}{
		{0, "down_blocks.1.resnets.1.conv2.bias", "down_blocks.1.resnets.1: channel 0 of pixel 0 of sample 0 is NaN", math.NaN()},
		{0, "up_blocks.1.attentions.0.to_out.0.bias", "up_blocks.1.attentions.0", math.Inf(1)},
		{0, "conv_out.bias", "conv_out", math.Inf(-1)},
		{1, "mid_block.attentions.0.transformer_blocks.0.norm3.bias", "mid_block.attentions.0", math.NaN()},
		{2, "transformer_blocks.1.ff.net.2.bias", "transformer_blocks.1.ff", math.NaN()},
		{3, "decoder.mid_block.resnets.1.conv1.bias", "decoder.mid_block.resnets.1", math.NaN()},
		{6, "encoder.layers.3.conv.2.bias", "encoder.layers.3", math.Inf(1)},
	} {
		n := networks[c.network]
		f := n.make(t, spoiled{open(t, n.name), c.tensor, float32(c.value)}, net.Options{})
		size := 8 * n.shrink
		x, dst := randoms([]int{1}, n.in*size*size), make([]float32, n.out*size*n.grow/n.shrink*size*n.grow/n.shrink)
		err := f(dst, x, size, size, []int{1}, &net.Pass{WS: new(tensor.Workspace), Finite: true})
		if err == nil || !strings.HasPrefix(err.Error(), "net: "+c.want) {
			t.Errorf("%s: %s: error %v, want one that names %s", n.name, c.tensor, err, c.want)
		}
		if err := f(dst, x, size, size, []int{1}, &net.Pass{WS: new(tensor.Workspace)}); err != nil {
			t.Errorf("%s: %s: unasked: %v", n.name, c.tensor, err)
		}
	}
}

// TestSteadyState: after the first pass the memory is there.
func TestSteadyState(t *testing.T) {
	if testing.Short() {
		t.Skip("memory is the same on every machine")
	}
	for _, n := range networks {
		if n.name == "sd_unet_conv1x1" { // its context is made anew
			continue
		}
		f := n.make(t, open(t, n.name), net.Options{})
		p := &net.Pass{WS: new(tensor.Workspace)}
		h, s := 8*n.shrink, []int{2}
		x, dst := randoms(s, n.in*h*h), make([]float32, n.out*h*n.grow/n.shrink*h*n.grow/n.shrink)
		pass := func() {
			if err := f(dst, x, h, h, s, p); err != nil {
				t.Fatal(err)
			}
		}
		pass()
		if allocs := testing.AllocsPerRun(5, pass); allocs > 20 {
			t.Errorf("%s: %v allocations", n.name, allocs)
		}
	}
}

// TestWinograd: a network whose convolutions use Winograd's filtering is within what golden networks may err of one whose
// convolutions are sums.
func TestWinograd(t *testing.T) {
	ck := newRandom(t, `{"_class_name": "UNet2DModel", "block_out_channels": [64, 96], "layers_per_block": 1, "norm_num_groups": 8, "attention_head_dim": 32,
"down_block_types": ["DownBlock2D", "AttnDownBlock2D"], "up_block_types": ["AttnUpBlock2D", "UpBlock2D"]}`)
	var out [2][]float32
	for i, plain := range []bool{true, false} {
		u, err := net.NewUNet2D(ck, net.Options{Plain: plain})
		ready(t, u, err)
		out[i] = make([]float32, 3*20*14)
		if err := u.Forward(out[i], randoms([]int{1}, 3*20*14), 1, 20, 14, []float64{300}, nil, &net.Pass{WS: new(tensor.Workspace), Finite: true}); err != nil {
			t.Fatal(err)
		}
	}
	var squares, most float64
	for i, v := range out[0] {
		squares += float64(v) * float64(v)
		most = max(most, math.Abs(float64(out[1][i]-v)))
	}
	if bound := 2e-5 * math.Sqrt(squares/float64(len(out[0]))); !(most <= bound) || most == 0 {
		t.Errorf("off by %.3g, bound %.3g", most, bound)
	}
}
