package net_test

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/internal/cputime"
	"github.com/mminfer/mminfer/tensor"
)

// random is a checkpoint of a configuration with random weights that keep activations in size.
type random struct {
	config  []byte
	tensors map[string]tensor.Tensor
}

func newRandom(t testing.TB, config string) random {
	t.Helper()
	tensors, err := net.Tensors([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	r := random{[]byte(config), map[string]tensor.Tensor{}}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, w := range tensors {
		w.Data = make([]byte, 4*w.Elements())
		spread := float32(math.Sqrt(3 * float64(w.Shape[0]) / float64(w.Elements())))
		for i := range w.Elements() {
			binary.LittleEndian.PutUint32(w.Data[4*i:], math.Float32bits((2*rng.Float32()-1)*spread))
		}
		r.tensors[w.Name] = w
	}
	return r
}

func (r random) Config() []byte { return r.config }

func (r random) Tensor(name string) (tensor.Tensor, bool) {
	t, ok := r.tensors[name]
	return t, ok
}

func (r random) Names() (names []string) {
	for n := range r.tensors {
		names = append(names, n)
	}
	return names
}

// ddpmCIFAR10 is google/ddpm-cifar10-32: 35.7 million parameters, 6.22 billion multiply-adds a call.
const ddpmCIFAR10 = `{"_class_name": "UNet2DModel", "sample_size": 32, "block_out_channels": [128, 256, 256, 256], "layers_per_block": 2,
"down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
"attention_head_dim": null, "downsample_padding": 0, "flip_sin_to_cos": false, "freq_shift": 1, "norm_eps": 1e-6}`

// The UNet and the autoencoder of Stable Diffusion 1.5.
const (
	sd15UNet = `{"_class_name": "UNet2DConditionModel", "cross_attention_dim": 768}`
	sdVAE    = `{"_class_name": "AutoencoderKL", "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
"down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
"up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}`
)

// TestParameters: the released networks have as many.
func TestParameters(t *testing.T) {
	for config, want := range map[string]int{
		ddpmCIFAR10: 35746307,
		sd15UNet:    859520964,
		`{"_class_name": "DiTTransformer2DModel", "out_channels": 8}`:                                                    749826464,
		`{"_class_name": "AutoencoderTiny"}`:                                                                             2445063,
		`{"architectures": ["CLIPTextModel"], "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12}`: 123060480,
		sdVAE: 83653863,
		`{"_class_name": "UNet2DModel", "block_out_channels": [128, 128, 256, 256, 512, 512], "attention_head_dim": null,
"down_block_types": ["DownBlock2D", "DownBlock2D", "DownBlock2D", "DownBlock2D", "AttnDownBlock2D", "DownBlock2D"],
"up_block_types": ["UpBlock2D", "AttnUpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D", "UpBlock2D"]}`: 113673219,
	} {
		tensors, err := net.Tensors([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, w := range tensors {
			total += w.Elements()
		}
		if total != want {
			t.Errorf("%s: %d parameters, want %d", config, total, want)
		}
	}
}

// TestStoredShapes: filters of one tap have four axes in files, projections two.
func TestStoredShapes(t *testing.T) {
	for config, want := range map[string]map[string]int{
		sdVAE:    {"quant_conv.weight": 4, "decoder.up_blocks.2.resnets.0.conv_shortcut.weight": 4, "decoder.mid_block.attentions.0.to_q.weight": 2},
		sd15UNet: {"down_blocks.0.attentions.0.proj_in.weight": 4, "down_blocks.1.resnets.0.conv_shortcut.weight": 4, "time_embedding.linear_1.weight": 2},
		`{"_class_name": "UNet2DConditionModel", "use_linear_projection": true}`: {"down_blocks.0.attentions.0.proj_in.weight": 2},
	} {
		tensors, err := net.Tensors([]byte(config))
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range tensors {
			if axes, ok := want[w.Name]; ok && len(w.Shape) != axes {
				t.Errorf("%s: shape %v, want %d axes", w.Name, w.Shape, axes)
			}
			delete(want, w.Name)
		}
		if len(want) > 0 {
			t.Errorf("no %v", want)
		}
	}
}

// BenchmarkNetworks is one call of each network that others measure too, in the sizes of their releases. GFLOP/CPU-s are of the
// calling thread, so that other work on the machine shows less; they count the products of plain convolutions.
func BenchmarkNetworks(b *testing.B) {
	for _, c := range []struct {
		name, config string
		gmac         float64 // billions of multiply-adds, 0 if not known
		formats      []tensor.Format
		load         func(testing.TB, random, net.Options) func(*net.Pass) error
	}{
		{"ddpm-cifar10", ddpmCIFAR10, 6.22, []tensor.Format{tensor.FormatF32, tensor.FormatBF16, tensor.FormatQ8}, func(t testing.TB, ck random, o net.Options) func(*net.Pass) error {
			u, err := net.NewUNet2D(ck, o)
			ready(t, u, err)
			x := randoms([]int{1}, 3*32*32)
			return func(p *net.Pass) error { return u.Forward(x, x, 1, 32, 32, []float64{500}, nil, p) }
		}},
		{"sd15-unet-256", sd15UNet, 0, []tensor.Format{tensor.FormatF32}, func(t testing.TB, ck random, o net.Options) func(*net.Pass) error {
			u, err := net.NewUNet2DCondition(ck, o)
			ready(t, u, err)
			x, text := randoms([]int{1}, 4*32*32), tensor.Mat{Rows: 77, Cols: 768, Stride: 768, Data: randoms([]int{1}, 77*768)}
			return func(p *net.Pass) error {
				context, err := u.Context(text, 1, p)
				if err != nil {
					return err
				}
				return u.Forward(x, x, 1, 32, 32, []float64{500}, context, nil, p)
			}
		}},
		{"vae-dec-256", sdVAE, 0, []tensor.Format{tensor.FormatF32}, func(t testing.TB, ck random, o net.Options) func(*net.Pass) error {
			v, err := net.NewVAE(ck, o)
			ready(t, v, err)
			z, image := randoms([]int{1}, 4*32*32), make([]float32, 3*256*256)
			return func(p *net.Pass) error { return v.Decode(image, z, 1, 32, 32, p) }
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			ck := newRandom(b, c.config)
			for _, format := range c.formats {
				forward := c.load(b, ck, net.Options{Format: format})
				for _, threads := range []int{1, 2} {
					b.Run(fmt.Sprintf("format=%v/threads=%d", format, threads), func(b *testing.B) {
						pool := tensor.NewPool(threads)
						defer pool.Close()
						runtime.LockOSThread()
						defer runtime.UnlockOSThread()
						p := &net.Pass{WS: &tensor.Workspace{Pool: pool}}
						if err := forward(p); err != nil { // to touch its memory
							b.Fatal(err)
						}
						start := cputime.Thread()
						for b.Loop() {
							if err := forward(p); err != nil {
								b.Fatal(err)
							}
						}
						if c.gmac > 0 {
							b.ReportMetric(2*c.gmac*float64(b.N)/float64(threads)/(cputime.Thread()-start).Seconds(), "GFLOP/CPU-s")
						}
					})
				}
			}
		})
	}
}
