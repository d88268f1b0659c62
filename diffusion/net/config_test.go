package net_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/tensor"
)

// edited is a checkpoint with some keys of its configuration replaced, and some tensors renamed, reshaped or gone.
type edited struct {
	net.Checkpoint
	keys    map[string]any
	rename  *strings.Replacer // of tensors, from the names that they have
	without string            // the tensor that is missing
	reshape map[string][]int
}

func (c edited) Config() []byte {
	config := map[string]any{}
	if err := json.Unmarshal(c.Checkpoint.Config(), &config); err != nil {
		panic(err)
	}
	for k, v := range c.keys {
		config[k] = v
	}
	data, err := json.Marshal(config)
	if err != nil {
		panic(err)
	}
	return data
}

func (c edited) Names() (names []string) {
	for _, n := range c.Checkpoint.Names() {
		if n == c.without {
			continue
		}
		if c.rename != nil {
			n = c.rename.Replace(n)
		}
		names = append(names, n)
	}
	return names
}

func (c edited) Tensor(name string) (tensor.Tensor, bool) {
	for _, n := range c.Checkpoint.Names() {
		present := n
		if c.rename != nil {
			present = c.rename.Replace(n)
		}
		if present == name && n != c.without {
			t, ok := c.Checkpoint.Tensor(n)
			if shape := c.reshape[name]; shape != nil {
				t.Shape = shape
			}
			return t, ok
		}
	}
	return tensor.Tensor{}, false
}

// TestRefuses: what is wrong is told with the key or the tensor, what was found and what was expected.
func TestRefuses(t *testing.T) {
	build := map[string]func(net.Checkpoint) error{
		"unet2d_ddpm":     func(ck net.Checkpoint) error { _, err := net.NewUNet2D(ck, net.Options{}); return err },
		"sd_unet_conv1x1": func(ck net.Checkpoint) error { _, err := net.NewUNet2DCondition(ck, net.Options{}); return err },
		"dit":             func(ck net.Checkpoint) error { _, err := net.NewDiT(ck, net.Options{}); return err },
		"vae_kl":          func(ck net.Checkpoint) error { _, err := net.NewVAE(ck, net.Options{}); return err },
		"taesd":           func(ck net.Checkpoint) error { _, err := net.NewTAESD(ck, net.Options{}); return err },
	}
	for _, c := range []struct {
		network string
		edit    edited
		want    string
	}{
		{"unet2d_ddpm", edited{keys: map[string]any{"in_channels": "three"}}, "net: UNet2DModel: config.json: in_channels: found string, expected int"},
		{"unet2d_ddpm", edited{keys: map[string]any{"block_out_channels": []int{16, 30, 32}}}, "block_out_channels[1]: found 30, expected a multiple of norm_num_groups 8"},
		{"unet2d_ddpm", edited{keys: map[string]any{"norm_num_groups": 0}}, "norm_num_groups: found 0, expected 1 to 65536"},
		{"unet2d_ddpm", edited{keys: map[string]any{"block_out_channels": []int{}}}, "block_out_channels (length): found 0, expected 1 to 16"},
		{"unet2d_ddpm", edited{keys: map[string]any{"layers_per_block": 1 << 40}}, "layers_per_block: found 1099511627776"},
		{"unet2d_ddpm", edited{keys: map[string]any{"norm_eps": -1}}, "norm_eps: found -1, expected a positive number"},
		{"unet2d_ddpm", edited{keys: map[string]any{"time_embedding_type": "fourier"}}, `time_embedding_type: found "fourier", supported are positional`},
		{"unet2d_ddpm", edited{keys: map[string]any{"attention_head_dim": 5}}, "block_out_channels[1]: found 32, expected a multiple of attention_head_dim 5"},
		{"unet2d_ddpm", edited{keys: map[string]any{"down_block_types": []string{"DownBlock2D"}}}, "found 1 and 3, expected 3"},
		{"unet2d_ddpm", edited{keys: map[string]any{"class_embed_type": "timestep"}}, `class_embed_type: found "timestep", which is not supported`},
		{"unet2d_ddpm", edited{without: "conv_in.bias"}, "net: UNet2DModel: tensors: conv_in.bias: missing, want [16]"},
		{"unet2d_ddpm", edited{reshape: map[string][]int{"conv_in.weight": {16, 3, 9}}}, "conv_in.weight: shape [16 3 9], want [16 3 3 3]"},
		{"unet2d_ddpm", edited{rename: strings.NewReplacer("conv_out.bias", "conv_out.bais")}, "conv_out.bais: not part of this architecture"},
		{"sd_unet_conv1x1", edited{keys: map[string]any{"addition_embed_type": "text_time"}}, `addition_embed_type: found "text_time", which is not supported`},
		{"sd_unet_conv1x1", edited{keys: map[string]any{"only_cross_attention": true}}, "only_cross_attention: found true"},
		{"sd_unet_conv1x1", edited{keys: map[string]any{"conv_in_kernel": 5}}, "conv_in_kernel: found 5, expected 3 to 3"},
		{"sd_unet_conv1x1", edited{keys: map[string]any{"attention_head_dim": []int{4, 4, 4}}}, "attention_head_dim (the number of heads): found 3 numbers, expected 1 or 2"},
		{"sd_unet_conv1x1", edited{keys: map[string]any{"attention_head_dim": 5}}, "block_out_channels[0]: found 16, expected a multiple of the 5 heads"},
		{"sd_unet_conv1x1", edited{keys: map[string]any{"cross_attention_dim": []int{24}}}, "cross_attention_dim: found array, expected int"},
		{"dit", edited{keys: map[string]any{"norm_type": "layer_norm"}}, `norm_type: found "layer_norm", supported are ada_norm_zero`},
		{"dit", edited{keys: map[string]any{"patch_size": 0}}, "patch_size: found 0, expected 1 to 64"},
		{"dit", edited{keys: map[string]any{"num_attention_heads": 1 << 16, "attention_head_dim": 1 << 16}}, "expected a product of at most 65536"},
		{"vae_kl", edited{keys: map[string]any{"scaling_factor": 0}}, "scaling_factor: found 0, expected a positive number"},
		{"vae_kl", edited{keys: map[string]any{"up_block_types": []string{"AttnUpDecoderBlock2D", "UpDecoderBlock2D"}}}, `up_block_types: found "AttnUpDecoderBlock2D"`},
		{"taesd", edited{keys: map[string]any{"num_encoder_blocks": []int{1, 3}}}, "num_encoder_blocks, num_decoder_blocks: found 2 and 4"},
		{"taesd", edited{keys: map[string]any{"decoder_block_out_channels": []int{8, 8, 8, 16}}}, "decoder_block_out_channels[3]: found 16, expected 8 as the first"},
	} {
		c.edit.Checkpoint = open(t, c.network)
		if err := build[c.network](c.edit); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.network, err, c.want)
		}
	}
}

// TestOldNames: attentions of old files have other names, and their projections two axes more.
func TestOldNames(t *testing.T) {
	ck := open(t, "vae_kl")
	old := edited{
		Checkpoint: ck, rename: strings.NewReplacer(".to_q.", ".query.", ".to_k.", ".key.", ".to_v.", ".value.", ".to_out.0.", ".proj_attn."),
		reshape: map[string][]int{"decoder.mid_block.attentions.0.query.weight": {32, 32, 1, 1}},
	}
	v, err := net.NewVAE(ck, net.Options{})
	ready(t, v, err)
	o, err := net.NewVAE(old, net.Options{})
	ready(t, o, err)
	z, a, b := input(t, ck, "in.z"), make([]float32, 3*16*16), make([]float32, 3*16*16)
	p := &net.Pass{WS: new(tensor.Workspace)}
	if err := v.Decode(a, z, 1, 8, 8, p); err != nil {
		t.Fatal(err)
	}
	if err := o.Decode(b, z, 1, 8, 8, p); err != nil {
		t.Fatal(err)
	}
	sameBits(t, "old names", b, a)
}

// TestForwardRefuses: sizes, classes and contexts that do not fit are errors and not panics.
func TestForwardRefuses(t *testing.T) {
	p := &net.Pass{WS: new(tensor.Workspace)}
	u, err := net.NewUNet2D(open(t, "unet2d_ddpm"), net.Options{})
	ready(t, u, err)
	c, err := net.NewUNet2DCondition(open(t, "sd_unet_conv1x1"), net.Options{})
	ready(t, c, err)
	d, err := net.NewDiT(open(t, "dit"), net.Options{})
	ready(t, d, err)
	v, err := net.NewVAE(open(t, "vae_kl"), net.Options{})
	ready(t, v, err)
	x := make([]float32, 3*8*8)
	y := make([]float32, 4*8*8)
	one := []float64{1}
	ctx, err := c.Context(tensor.NewMat(7, 24), 1, p)
	if err != nil {
		t.Fatal(err)
	}
	_, textErr := c.Context(tensor.NewMat(7, 23), 1, p)
	for name, err := range map[string]error{
		"short input":  u.Forward(x, x[1:], 1, 8, 8, one, nil, p),
		"short output": u.Forward(x[1:], x, 1, 8, 8, one, nil, p),
		"huge sizes":   u.Forward(x, x, 1, 1<<40, 1<<40, one, nil, p),
		"no samples":   u.Forward(nil, nil, 0, 8, 8, nil, nil, p),
		"odd size":     u.Forward(x[:3*25], x[:3*25], 1, 5, 5, one, nil, p),
		"times":        u.Forward(x, x, 1, 8, 8, nil, nil, p),
		"class":        u.Forward(x, x, 1, 8, 8, one, []int32{0}, p),
		"no context":   c.Forward(y, y, 1, 8, 8, one, nil, nil, p),
		"samples":      c.Forward(y, y, 1, 8, 4, []float64{1, 2}, ctx, nil, p),
		"scales":       c.Forward(y, y, 1, 8, 8, one, ctx, one, p),
		"text":         textErr,
		"DiT class":    d.Forward(make([]float32, 2*len(y)), y, 1, 8, one, []int32{11}, p),
		"DiT size":     d.Forward(make([]float32, 8*49), make([]float32, 4*49), 1, 7, one, []int32{0}, p),
		"latents":      v.Decode(x, y, 1, 8, 8, p),
		"odd image":    v.Encode(y, x, 1, 7, 8, p),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "net: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
