package pipeline

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mminfer/mminfer/diffusion"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
)

// rewrite changes the tensors of a safetensors file.
func rewrite(t *testing.T, f fstest.MapFS, name string, change func([]tensor.Tensor) []tensor.Tensor) {
	t.Helper()
	ck, err := loader.OpenFileFS(f, name)
	if err != nil {
		t.Fatal(err)
	}
	var list []tensor.Tensor
	for _, name := range ck.Names() {
		one, _ := ck.Tensor(name)
		list = append(list, one)
	}
	var b bytes.Buffer
	if err := loader.Write(&b, change(list), nil); err != nil {
		t.Fatal(err)
	}
	f[name] = &fstest.MapFile{Data: b.Bytes()}
}

// f32 makes a tensor of floats.
func f32(name string, value func(i int) float32, shape ...int) tensor.Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	data := make([]byte, 4*n)
	for i := range n {
		binary.LittleEndian.PutUint32(data[4*i:], math.Float32bits(value(i)))
	}
	return tensor.Tensor{Name: name, Type: tensor.F32, Shape: shape, Data: data}
}

// A network that paints sees the mask and the masked picture: with weights of zero for them it draws what
// the one without them draws, and with others something else.
func TestPainter(t *testing.T) {
	plain := golden(t, "sd_pipeline", Options{})
	r := request(plain, 1)
	r.Init, r.Strength = drawn(t, plain, r).Images[0], 1
	want := drawn(t, plain, r)
	r.Mask = make([]float32, r.Init.Width*r.Init.Height)
	for i := range r.Mask[:len(r.Mask)/2] {
		r.Mask[i] = 1
	}
	for _, weight := range []float32{0, 0.1} {
		files := load(t, "sd_pipeline")
		edit("unet/config.json", "in_channels", 9)(files)
		rewrite(t, files, "unet/"+weightsFile, func(list []tensor.Tensor) []tensor.Tensor {
			for i, one := range list {
				if one.Name == "conv_in.weight" {
					w := make([]float32, one.Elements())
					one.Floats(w, 0)
					list[i] = f32(one.Name, func(k int) float32 {
						if c := k / 9 % 9; c < 4 {
							return w[(k/81*4+c)*9+k%9]
						}
						return weight
					}, one.Shape[0], 9, 3, 3)
				}
			}
			return list
		})
		p, err := OpenFS(files, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		got := drawn(t, p, r)
		// The order of the sums differs with the number of channels.
		if d := rms(got.Latents, want.Latents); !(d <= 1e-4) == (weight == 0) {
			t.Errorf("weight %g: %g from the network without a mask", weight, d)
		}
		without := r
		without.Mask = nil
		if _, err := p.Generate(t.Context(), without); err == nil || !strings.Contains(err.Error(), "no mask") {
			t.Errorf("%v", err)
		}
	}
}

// A latent consistency model is told the guidance, and asked once.
func TestConsistency(t *testing.T) {
	files := load(t, "sd_pipeline")
	edit(indexFile, "_class_name", "LatentConsistencyModelPipeline")(files)
	edit(indexFile, "scheduler", []string{"diffusers", "LCMScheduler"})(files)
	edit("unet/config.json", "time_cond_proj_dim", 8)(files)
	rewrite(t, files, "unet/"+weightsFile, func(list []tensor.Tensor) []tensor.Tensor {
		return append(list, f32("time_embedding.cond_proj.weight", func(i int) float32 { return float32(i%7) / 7 }, 16, 8))
	})
	p, err := OpenFS(files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r := request(p, 1)
	r.NegativeIDs = []int32{94} // not read: its length does not matter
	r.Guidance = 3
	a := drawn(t, p, r)
	r.Guidance = 9
	if b := drawn(t, p, r); slices.Equal(a.Latents, b.Latents) || a.Calls != 4 {
		t.Errorf("%d calls; the guidance changes nothing", a.Calls)
	}
}

// Another autoencoder decodes the same latents: TAESD, from a folder of its own or the pipeline's.
func TestTiny(t *testing.T) {
	const file = "../net/testdata/golden/taesd.safetensors"
	ck, err := loader.OpenFile(file)
	if err != nil {
		t.Skip(err)
	}
	defer ck.Close()
	config, _ := ck.Metadata("config")
	var keys map[string]any
	if err := json.Unmarshal([]byte(config), &keys); err != nil {
		t.Fatal(err)
	}
	keys["_class_name"] = "AutoencoderTiny"
	data, _ := json.Marshal(keys)
	var list []tensor.Tensor
	for _, name := range ck.Names() {
		if one, _ := ck.Tensor(name); strings.HasPrefix(name, "w.") {
			one.Name = name[2:]
			list = append(list, one)
		}
	}
	var b bytes.Buffer
	if err := loader.Write(&b, list, nil); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, data := range map[string][]byte{"config.json": data, weightsFile: b.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files := load(t, "sd_pipeline")
	for name := range files {
		if strings.HasPrefix(name, "vae/") {
			delete(files, name)
		}
	}
	p, err := OpenFS(files, Options{VAE: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Factor != 8 {
		t.Fatalf("%d pixels for a latent", p.Factor)
	}
	want := golden(t, "sd_pipeline", Options{})
	r := request(p, 1)
	r.Width, r.Height = 64, 96
	same := request(want, 1)
	same.Width, same.Height = 16, 24
	got := drawn(t, p, r)
	if !slices.Equal(got.Latents, drawn(t, want, same).Latents) {
		t.Error("the autoencoder changes the latents")
	}
	if m := got.Images[0]; m.Width != 64 || m.Height != 96 {
		t.Errorf("a picture of %d x %d", m.Width, m.Height)
	}
	r.Init, r.Strength = got.Images[0], 0.5
	drawn(t, p, r)
	put("vae/config.json", string(data))(files)
	put("vae/"+weightsFile, b.String())(files)
	edit(indexFile, "vae", []string{"diffusers", "AutoencoderTiny"})(files)
	q, err := OpenFS(files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	r.Init, r.Strength = nil, 0
	if !slices.Equal(drawn(t, q, r).Pixels[0], got.Pixels[0]) {
		t.Error("in the folder it is another one")
	}
	if _, err := OpenFS(files, Options{VAE: filepath.Join(dir, "none")}); err == nil {
		t.Error("an autoencoder that is not there")
	}
}

// The first models of the kind have all files at the top, and some have variants of half precision alone.
func TestLayouts(t *testing.T) {
	want := golden(t, "ddpm_pipeline", Options{})
	r := request(want, 1)
	files := load(t, "ddpm_pipeline")
	for name := range load(t, "ddpm_pipeline") {
		if dir, base := filepath.Split(name); dir != "" {
			move(name, base)(files)
		}
	}
	move(weightsFile, "diffusion_pytorch_model.fp16.safetensors")(files)
	p, err := OpenFS(files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if !slices.Equal(drawn(t, p, r).Latents, drawn(t, want, r).Latents) {
		t.Error("at the top it is another model")
	}
}

// Noise is what the generators draw: the first numbers make the start, the next ones the steps' noise.
func TestNoise(t *testing.T) {
	p := golden(t, "sd_pipeline", Options{})
	for _, torch := range []bool{false, true} {
		r := request(p, 5)
		r.Torch, r.Solver = torch, "dpmpp-2m-sde"
		want := drawn(t, p, r)
		n := len(want.Latents)
		draw := make([][]float64, 8)
		g, c := diffusion.NewGenerator(5), diffusion.NewCounter(5, 0)
		for i := range draw {
			if draw[i] = make([]float64, n); torch {
				diffusion.Normal(g, draw[i])
			} else {
				diffusion.NormalAt(c, draw[i])
			}
		}
		k := 0
		r.Noise = func(x []float64) { k++; copy(x, draw[k]) }
		r.Latents = make([]float32, n)
		for i, v := range draw[0] {
			r.Latents[i] = float32(v)
		}
		if got := drawn(t, p, r); !slices.Equal(got.Latents, want.Latents) || k == 0 {
			t.Errorf("torch %t: other noise", torch)
		}
	}
}
