package net

import (
	"fmt"
	"math"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// DiT is diffusers' DiTTransformer2DModel: a transformer over patches, conditioned on a class.
//
// Source: Peebles and Xie 2023, arXiv:2212.09748; models/transformers/dit_transformer_2d.py in huggingface/diffusers 0.42.
type DiT struct {
	weights
	In, Out    int // channels; Out is often twice In, the second half a variance
	SampleSize int // the usual height and width of latents
	Patch      int // height and width must be multiples of it
	Null       int // the class that means none; those below are classes

	width  int
	embed  nn.Conv2D // of patches
	blocks []ditBlock
	shift  *nn.Linear // proj_out_1, [2·width, width]: shift, then scale
	out    *nn.Linear // proj_out_2, [Patch·Patch·Out, width]
}

// ditBlock is a BasicTransformerBlock with ada_norm_zero: every block has embedders of its own.
type ditBlock struct {
	nn.FullAttention
	name     string
	time     timeEmbedding
	classes  *nn.Linear // its weight is a table [Null+1, width]
	modulate *nn.Linear // [6·width, width]: shift, scale, gate of the attention, then of the network
	qkv, to  *nn.Linear
	up, down *nn.Linear
	act      nn.Activation
	eps      float32 // of the norm before the network
}

const (
	ditFeatures = 256  // columns of time features
	ditEps      = 1e-6 // of the norms before the attention and the output
)

// ditConfig is the configuration of a DiTTransformer2DModel.
type ditConfig struct {
	Heads      int     `json:"num_attention_heads"`
	HeadDim    int     `json:"attention_head_dim"`
	In         int     `json:"in_channels"`
	Out        int     `json:"out_channels"`
	Layers     int     `json:"num_layers"`
	Bias       bool    `json:"attention_bias"`
	SampleSize int     `json:"sample_size"`
	Patch      int     `json:"patch_size"`
	Act        string  `json:"activation_fn"`
	Classes    int     `json:"num_embeds_ada_norm"`
	NormType   string  `json:"norm_type"`
	Affine     bool    `json:"norm_elementwise_affine"`
	Eps        float64 `json:"norm_eps"`
}

// parse reads a configuration.
func (c *ditConfig) parse(config []byte) error {
	*c = ditConfig{
		Heads: 16, HeadDim: 72, In: 4, Layers: 28, Bias: true, SampleSize: 32, Patch: 2, Act: "gelu-approximate", Classes: 1000,
		NormType: "ada_norm_zero", Eps: 1e-5,
	}
	keys, err := decode(config, c)
	if err != nil {
		return err
	}
	if c.Out == 0 {
		c.Out = c.In
	}
	var k checks
	k.absent(keys, "cross_attention_dim", "num_vector_embeds", "use_linear_projection", "only_cross_attention", "double_self_attention", "attention_type", "caption_channels")
	k.Between("num_attention_heads", c.Heads, 1, maxChannels)
	k.Between("attention_head_dim", c.HeadDim, 1, maxChannels)
	k.Between("in_channels", c.In, 1, maxChannels)
	k.Between("out_channels", c.Out, 1, maxChannels)
	k.Between("num_layers", c.Layers, 1, maxLayers)
	k.Between("patch_size", c.Patch, 1, 64)
	k.Between("sample_size", c.SampleSize, c.Patch, maxSide)
	k.Between("num_embeds_ada_norm", c.Classes, 1, maxVocab)
	k.among("activation_fn", c.Act, "gelu-approximate", "gelu")
	k.among("norm_type", c.NormType, "ada_norm_zero")
	k.That(!c.Affine, "norm_elementwise_affine: found true, expected false")
	k.Positive("norm_eps", c.Eps)
	k.That(c.HeadDim > maxChannels || c.Heads > maxChannels || c.Heads*c.HeadDim <= maxChannels && c.Heads*c.HeadDim%4 == 0,
		"num_attention_heads, attention_head_dim: found %d and %d, expected a product of at most %d that 4 divides", c.Heads, c.HeadDim, maxChannels)
	return k.Err()
}

// NewDiT builds the network of a folder. The error tells everything that is wrong.
func NewDiT(ck Checkpoint, o Options) (*DiT, error) {
	return load("DiTTransformer2DModel", buildDiT, ck, o)
}

// buildDiT takes the tensors of a configuration.
func buildDiT(p nn.Params, config []byte) (*DiT, error) {
	var c ditConfig
	if err := c.parse(config); err != nil {
		return nil, configError("DiTTransformer2DModel", err)
	}
	width := c.Heads * c.HeadDim
	d := &DiT{In: c.In, Out: c.Out, SampleSize: c.SampleSize, Patch: c.Patch, Null: c.Classes, width: width}
	d.embed = exact(p, "pos_embed.proj", c.In, width, c.Patch)
	d.embed.Step, d.embed.Before, d.embed.After = c.Patch, 0, 0
	p.Drop("pos_embed.pos_embed")
	for i := 0; i < c.Layers && !p.TooMany(); i++ {
		name := fmt.Sprintf("transformer_blocks.%d", i)
		d.blocks = append(d.blocks, newDiTBlock(p.Sub(name), name, &c))
	}
	d.shift = linear(p, "proj_out_1", width, 2*width, true)
	d.out = linear(p, "proj_out_2", width, c.Patch*c.Patch*c.Out, true)
	return d, nil
}

func newDiTBlock(p nn.Params, name string, c *ditConfig) ditBlock {
	width := c.Heads * c.HeadDim
	emb, attn := p.Sub("norm1.emb"), p.Sub("attn1")
	b := ditBlock{
		FullAttention: nn.FullAttention{Heads: c.Heads, Dim: c.HeadDim}, name: name,
		time:     newTimeEmbedding(emb, "timestep_embedder", ditFeatures, width, 1, true),
		classes:  emb.Exact(emb.Tensor("class_embedder.embedding_table.weight", c.Classes+1, width)),
		modulate: linear(p, "norm1.linear", width, 6*width, true),
		qkv:      stacked(attn, width, width, c.Bias, "to_q", "to_k", "to_v"), to: linear(attn, "to_out.0", width, width, true),
		up: linear(p, "ff.net.0.proj", width, 4*width, true), down: linear(p, "ff.net.2", 4*width, width, true),
		act: nn.GELUTanh, eps: float32(c.Eps),
	}
	if c.Act == "gelu" {
		b.act = nn.GELU
	}
	return b
}

// Forward computes dst [n, Out, size, size] from latents x [n, In, size, size]. t [n] are the times, class [n] the
// classes, each from 0 to Null. dst and x do not overlap. An error is about sizes, a class that does not exist, or, where p asks, a
// value that is not finite.
func (d *DiT) Forward(dst, x []float32, n, size int, t []float64, class []int32, p *Pass) error {
	if err := d.check(dst, x, n, size, t, class); err != nil {
		return err
	}
	r := begin(p)
	mark := r.ws.Mark()
	side := size / d.Patch
	h, a := r.image(n, side, side, d.width), r.image(n, side, side, d.width)
	in := r.load(x, n, d.In, size, size)
	positions(a, d.SampleSize/d.Patch)
	d.embed.Apply(h, in, nn.Added{Plus: a.Mat}, r.ws)
	r.release(in)
	r.block("pos_embed", h)
	var first tensor.Mat // the first block's embedding, which the output needs
	for i := range d.blocks {
		c := d.blocks[i].embed(r, t, class)
		if i == 0 {
			first = c
		}
		inner := r.ws.Mark()
		d.blocks[i].apply(r, h, a, c)
		r.ws.Release(inner)
	}
	m := d.shift.Out(first, r.ws)
	modulated(r, a, h, m.Columns(0, d.width), m.Columns(d.width, 2*d.width), ditEps)
	y := r.like(h, d.out.W.Rows)
	d.out.Project(y.Mat, a.Mat, tensor.Mat{}, r.ws)
	d.unpatch(dst, y)
	for _, m := range []nn.Image{h, a, y} {
		r.release(m)
	}
	r.ws.Release(mark)
	return r.end()
}

func (d *DiT) check(dst, x []float32, n, size int, t []float64, class []int32) error {
	if size%d.Patch != 0 {
		return fmt.Errorf("net: DiTTransformer2DModel: latents of %d×%d, expected multiples of %d", size, size, d.Patch)
	}
	if err := checkImages("DiTTransformer2DModel: input", x, n, d.In, size, size); err != nil {
		return err
	}
	if err := checkImages("DiTTransformer2DModel: output", dst, n, d.Out, size, size); err != nil {
		return err
	}
	if len(t) != n || len(class) != n {
		return fmt.Errorf("net: DiTTransformer2DModel: %d times and %d classes for %d samples", len(t), len(class), n)
	}
	for _, c := range class {
		if c < 0 || int(c) > d.Null {
			return fmt.Errorf("net: DiTTransformer2DModel: class %d, expected 0 to %d", c, d.Null)
		}
	}
	return nil
}

// positions fills images with the table of positions: for the column, then for the row, sines and then cosines
// of the place times 10000^(-i/(width/4)), in float64. Places of a grid that is not base wide are scaled to one that is.
func positions(x nn.Image, base int) {
	quarter := x.Cols / 4
	for i := range x.Rows {
		p := i % (x.H * x.W)
		row := x.Row(i)
		for half, place := range [2]int{p % x.W, p / x.W} {
			at := float32(place) / float32(float64(x.W)/float64(base))
			for j := range quarter {
				angle := float64(at) * math.Pow(10000, -float64(j)/float64(quarter))
				row[2*half*quarter+j], row[(2*half+1)*quarter+j] = float32(math.Sin(angle)), float32(math.Cos(angle))
			}
		}
	}
}

// embed returns the activated embedding of times and classes, [N, width].
func (b *ditBlock) embed(r *run, t []float64, class []int32) tensor.Mat {
	c := b.time.apply(r, b.time.features(r, t))
	row := r.ws.Floats(c.Cols)
	for i, y := range class {
		b.classes.W.Row(row, int(y))
		addRow(c.Row(i), row, 0)
	}
	nn.Activate(c, nn.SiLU, r.ws)
	return c
}

// modulated computes dst = LN(x)·(1 + scale) + shift, sample by sample. It overwrites scale.
func modulated(r *run, dst, x nn.Image, shift, scale tensor.Mat, eps float32) {
	for i := range x.N {
		weight := scale.Row(i)
		for j, s := range weight {
			weight[j] = 1 + s
		}
		n := nn.Norm{Weight: weight, Bias: shift.Row(i), Eps: eps, Layer: true}
		n.Apply(dst.Sample(i), x.Sample(i), r.ws)
	}
}

// apply changes x; a, of the same size, is scratch. c is the activated embedding.
func (b *ditBlock) apply(r *run, x, a nn.Image, c tensor.Mat) {
	m := b.modulate.Out(c, r.ws)
	part := func(i int) tensor.Mat { return m.Columns(i*x.Cols, (i+1)*x.Cols) }
	modulated(r, a, x, part(0), part(1), ditEps)
	r.block(b.name+".norm1", a)
	o := r.attendSelf(b.FullAttention, b.qkv, a.Mat, x.N)
	b.to.Project(a.Mat, o, tensor.Mat{}, r.ws)
	r.block(b.name+".attn1", a)
	b.gate(r, x, a, part(2))
	modulated(r, a, x, part(3), part(4), b.eps)
	h := r.ws.Mat(x.Rows, 4*x.Cols)
	b.up.Project(h, a.Mat, tensor.Mat{}, r.ws)
	nn.Activate(h, b.act, r.ws)
	b.down.Project(a.Mat, h, tensor.Mat{}, r.ws)
	r.block(b.name+".ff", a)
	b.gate(r, x, a, part(5))
	r.block(b.name, x)
}

// gate adds y times the gates to x, sample by sample, and overwrites y.
func (b *ditBlock) gate(r *run, x, y nn.Image, gates tensor.Mat) {
	for i := range x.N {
		nn.AddGated(x.Sample(i), y.Sample(i), gates.Row(i), r.ws)
	}
}

// unpatch writes tokens [n·side·side, Patch·Patch·Out] as images.
func (d *DiT) unpatch(dst []float32, y nn.Image) {
	size := y.W * d.Patch
	for i := range y.Rows {
		n, row, col := i/(y.H*y.W), i/y.W%y.H*d.Patch, i%y.W*d.Patch
		for j, v := range y.Row(i) {
			c, q := j%d.Out, j/d.Out
			dst[((n*d.Out+c)*size+row+q/d.Patch)*size+col+q%d.Patch] = v
		}
	}
}
