package pipeline

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/tensor"
	"github.com/mminfer/mminfer/vision"
)

// emoji opens the built-in model.
func emoji(t testing.TB, o Options) *Pipeline {
	t.Helper()
	fsys, err := fs.Sub(demo.FS, demo.Emoji)
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenFS(fsys, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// golden opens a golden pipeline.
func golden(t testing.TB, name string, o Options) *Pipeline {
	t.Helper()
	p, err := OpenFS(load(t, name), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func drawn(t testing.TB, p *Pipeline, r Request) *Result {
	t.Helper()
	result, err := p.Generate(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// request is one that a golden pipeline can draw.
func request(p *Pipeline, seeds ...uint64) Request {
	r := Request{Class: None, Seeds: seeds, Steps: 4, Guidance: 3}
	switch p.Kind {
	case TextToImage:
		r.PromptIDs, r.NegativeIDs = []int32{94, 5, 6, 95}, []int32{94, 95, 95, 95}
	default:
		r.Class = 1
	}
	return r
}

// One picture has the same bits alone, beside others in any batch, and on any number of threads, also with
// solvers that draw noise.
func TestOneResult(t *testing.T) {
	pool := tensor.NewPool(3)
	defer pool.Close()
	for _, name := range []string{"sd_pipeline", "dit_pipeline", "ddpm_pipeline"} {
		one, many := golden(t, name, Options{}), golden(t, name, Options{Pool: pool})
		for _, solver := range []string{"", "dpmpp-2m-sde", "heun"} {
			r := request(one, 7, 8, 9)
			r.Solver, r.Batch = solver, 2
			want := drawn(t, many, r)
			e := len(want.Latents) / 3
			for i, seed := range r.Seeds {
				single := request(one, seed)
				single.Solver = solver
				got := drawn(t, one, single)
				if !slices.Equal(got.Latents, want.Latents[i*e:][:e]) || !slices.Equal(got.Images[0].Pix, want.Images[i].Pix) {
					t.Errorf("%s, solver %q: picture %d differs alone", name, solver, i)
				}
			}
			if slices.Equal(want.Latents[:e], want.Latents[e:2*e]) {
				t.Errorf("%s: two seeds draw the same", name)
			}
		}
	}
}

// Every solver draws with as many calls as it says, and one with many steps draws what others draw.
func TestSolvers(t *testing.T) {
	p := emoji(t, Options{})
	reference := drawn(t, p, Request{Class: 15, Seeds: []uint64{3}, Guidance: 1, Solver: "dpmpp-2m", Steps: 24})
	const n = 6
	for _, s := range Solvers() {
		r := Request{Class: 15, Seeds: []uint64{3}, Guidance: 1, Solver: s.Name, Steps: n}
		if s.class == "" {
			r.Spacing, r.Tolerance = "logsnr", 0.2
		}
		got := drawn(t, p, r)
		want := map[string]int{"n": n, "n+1": n + 1, "2n-1": 2*n - 1}[s.Calls]
		if got.Calls != want && want != 0 {
			t.Errorf("%s: %d calls for %d steps, want %s", s.Name, got.Calls, n, s.Calls)
		}
		d := rms(got.Latents, reference.Latents)
		// Six steps are far from the limit: the bound only tells a heart from noise, whose distance is above 0.8.
		if !s.Noisy && s.Name != "dpm-3s" && s.Name != "dpm-2s" && !(d < 0.35) {
			t.Errorf("%s: %g from many steps", s.Name, d)
		}
		if s.Smooth && s.class != "" {
			r.Spacing, r.ToData = "logsnr", true
			if got := drawn(t, p, r); got.Calls != n+1 {
				t.Errorf("%s, logsnr: %d calls, want %d", s.Name, got.Calls, n+1)
			}
		}
	}
}

func rms(a, b []float32) float64 {
	sum := 0.0
	for i, v := range a {
		d := float64(v) - float64(b[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(a)))
}

// A picture is changed the more the greater the strength, and painting keeps what the mask keeps.
func TestEdit(t *testing.T) {
	p := emoji(t, Options{})
	heart := drawn(t, p, Request{Class: 15, Seeds: []uint64{3}, Guidance: 2, Steps: 10})
	last := 0.0
	for _, strength := range []float64{0.1, 0.5, 1} {
		got := drawn(t, p, Request{Class: 9, Seeds: []uint64{4}, Guidance: 2, Steps: 10, Init: heart.Images[0], Strength: strength})
		if d := rms(got.Pixels[0], heart.Pixels[0]); !(d > last) {
			t.Errorf("strength %g: %g from the picture, with less strength %g", strength, d, last)
		} else {
			last = d
		}
	}
	mask := make([]float32, 24*24)
	for i := range mask[:24*12] {
		mask[i] = 1
	}
	for _, solver := range []string{"", "euler", "ddim", "dpmpp-2s"} {
		got := drawn(t, p, Request{Class: 0, Seeds: []uint64{4}, Guidance: 2, Steps: 10, Init: heart.Images[0], Mask: mask, Solver: solver})
		pix, want := got.Images[0].Pix, heart.Images[0].Pix
		half := len(pix) / 2
		if !slices.Equal(pix[half:], want[half:]) {
			t.Errorf("solver %q: what the mask keeps differs", solver)
		}
		if slices.Equal(pix[:half], want[:half]) {
			t.Errorf("solver %q: nothing was painted", solver)
		}
	}
	// Latents: what is kept went through the autoencoder, which a picture alone does too.
	sd := golden(t, "sd_pipeline", Options{})
	r := request(sd, 1)
	r.Init = drawn(t, sd, r).Images[0]
	r.Mask = make([]float32, r.Init.Width*r.Init.Height)
	kept := drawn(t, sd, r)
	r.Mask, r.Strength = nil, 0.25
	if little := drawn(t, sd, r); len(little.Images) != 1 || slices.Equal(little.Latents, kept.Latents) {
		t.Error("one step of four changed nothing")
	}
	s := &session{job: &job{Request: r, p: sd, h: kept.Shape[2], w: kept.Shape[3]}, ctx: t.Context(), pass: pass(nil)}
	s.Width, s.Height = r.Init.Width, r.Init.Height
	if want, err := s.encode(fromImage(r.Init)); err != nil || rms(kept.Latents, want) > 1e-6 {
		t.Errorf("a mask that keeps everything: %g from the picture's latents, %v", rms(kept.Latents, want), err)
	}
}

// The noise that inversion finds leads back to the picture.
func TestInversion(t *testing.T) {
	p := emoji(t, Options{})
	heart := drawn(t, p, Request{Class: 15, Seeds: []uint64{3}, Guidance: 1, Steps: 20})
	r := Request{Class: 15, Seeds: []uint64{3}, Guidance: 1, Steps: 60, Solver: "dpmpp-2m", Spacing: "logsnr"}
	back := r
	back.Init, back.Invert = heart.Images[0], true
	noise := drawn(t, p, back)
	if len(noise.Images) != 0 {
		t.Error("noise is no picture")
	}
	r.Latents = noise.Latents
	again := drawn(t, p, r)
	// Two solutions of 60 steps, each .003 from the limit by models' own table at 50, and 8 bits of rounding.
	if d := rms(again.Pixels[0], heart.Pixels[0]); !(d < 0.05) {
		t.Errorf("%g from the picture", d)
	}
}

// Tiles that overlap give a picture near the whole one, without seams where all of it is one tile.
func TestTiles(t *testing.T) {
	for n := 4; n < 60; n++ {
		for _, side := range []int{1, 2, 3, 4, 8, 13} {
			side := min(side, n)
			sum := make([]float64, n*2)
			at, weights := blends(n, side, 2)
			for k, w := range weights {
				if k > 0 && at[k] > at[k-1]+side-side/4 {
					t.Errorf("%d in tiles of %d begin at %d", n, side, at)
				}
				for i, v := range w {
					sum[at[k]*2+i] += float64(v)
				}
			}
			for i, s := range sum {
				if !(math.Abs(s-1) <= 1e-6) {
					t.Fatalf("%d in tiles of %d: the weights at %d sum to %g", n, side, i, s)
				}
			}
		}
	}
	p := golden(t, "sd_pipeline", Options{})
	r := request(p, 1)
	r.Width, r.Height = 48, 32
	whole := drawn(t, p, r)
	r.Tile = 16
	if tiled := drawn(t, p, r); !slices.Equal(tiled.Latents, whole.Latents) || slices.Equal(tiled.Pixels[0], whole.Pixels[0]) || tensor.NotFinite(tiled.Pixels[0]) >= 0 {
		t.Error("tiles change the decoding alone")
	}
	r.Tile = 64
	if one := drawn(t, p, r); !slices.Equal(one.Pixels[0], whole.Pixels[0]) {
		t.Error("one tile is not the whole")
	}
}

// The end of the context ends a drawing between calls, and so does an error of who looks on.
func TestStops(t *testing.T) {
	p := emoji(t, Options{})
	ctx, cancel := context.WithCancel(t.Context())
	steps := 0
	r := Request{Class: 1, Seeds: []uint64{1, 2}, Progress: func(at Progress) error {
		if steps = at.Step; steps == 3 {
			cancel()
		}
		m, err := at.Estimate(1)
		if err == nil && (m.Width != 24 || at.Count != 2 || at.Steps != DefaultSteps) {
			t.Errorf("%+v", at)
		}
		if steps == 3 && !errors.Is(err, context.Canceled) {
			t.Errorf("estimate after the end: %v", err)
		}
		return nil
	}}
	if _, err := p.Generate(ctx, r); !errors.Is(err, context.Canceled) || steps != 3 {
		t.Errorf("%d steps, %v", steps, err)
	}
	stop := errors.New("enough")
	r.Progress = func(Progress) error { return stop }
	if _, err := p.Generate(t.Context(), r); !errors.Is(err, stop) {
		t.Errorf("%v", err)
	}
}

// A weight that is not finite is found at its layer, in the step where it is.
func TestNotFinite(t *testing.T) {
	files := load(t, "ddpm_pipeline")
	data := slices.Clone(files["unet/"+weightsFile].Data)
	copy(data[len(data)-4:], []byte{0, 0, 0xc0, 0x7f}) // the last element of the last tensor is a NaN
	files["unet/"+weightsFile].Data = data
	p, err := OpenFS(files, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	_, err = p.Generate(t.Context(), request(p, 1))
	if err == nil || !strings.Contains(err.Error(), "pipeline: step 1: ") || !strings.Contains(err.Error(), "time ") {
		t.Errorf("%v", err)
	}
	t.Log(err)
}

// Requests that cannot be drawn are refused before anything is computed.
func TestRefused(t *testing.T) {
	p, sd, dit := emoji(t, Options{}), golden(t, "sd_pipeline", Options{}), golden(t, "dit_pipeline", Options{})
	small := &vision.Image{Width: 8, Height: 8, Pix: make([]uint8, 192)}
	full := &vision.Image{Width: 24, Height: 24, Pix: make([]uint8, 24*24*3)}
	one := []uint64{1}
	eta := 0.5
	for _, c := range []struct {
		p    *Pipeline
		r    Request
		want string
	}{
		{p, Request{Class: 1}, "0 seeds"},
		{p, Request{Class: 16 + 1, Seeds: one}, "class 17"},
		{p, Request{Class: -2, Seeds: one}, "class -2"},
		{p, Request{Classes: []int{1, 2}, Seeds: one}, "2 classes for 1 pictures"},
		{p, Request{Classes: []int{16}, Seeds: one}, "class 16"},
		{p, Request{Class: 1, Seeds: one, Prompt: "x"}, "a prompt for DDPMPipeline"},
		{p, Request{Class: 1, Seeds: one, Width: -1}, "-1 x 0 pixels"},
		{p, Request{Class: 1, Seeds: one, Width: 1 << 20}, "pixels"},
		{p, Request{Class: 1, Seeds: one, Steps: 1001}, "1001 steps"},
		{p, Request{Class: 1, Seeds: one, Steps: -1}, "-1 steps"},
		{p, Request{Class: 1, Seeds: one, Guidance: math.NaN()}, "guidance NaN"},
		{p, Request{Class: 1, Seeds: one, Rescale: 2}, "rescale 2"},
		{p, Request{Class: 1, Seeds: one, Solver: "magic"}, `solver "magic"`},
		{p, Request{Class: 1, Seeds: one, Spacing: "magic"}, `spacing "magic"`},
		{p, Request{Class: 1, Seeds: one, Spacing: "logsnr"}, "needs a solver"},
		{p, Request{Class: 1, Seeds: one, Spacing: "logsnr", Solver: "euler"}, "no continuous form"},
		{p, Request{Class: 1, Seeds: one, Solver: "dpm-adaptive"}, "continuous spacing"},
		{p, Request{Class: 1, Seeds: one, Solver: "euler", Eta: &eta}, "eta is no option of euler"},
		{p, Request{Class: 1, Seeds: one, Latents: make([]float32, 5)}, "5 numbers to start from"},
		{p, Request{Class: 1, Seeds: one, Latents: slices.Repeat([]float32{float32(math.NaN())}, 1728)}, "number 0 to start from is NaN"},
		{p, Request{Class: 1, Seeds: one, Strength: 0.5}, "without a picture"},
		{p, Request{Class: 1, Seeds: one, Init: small}, "a picture of 8 x 8"},
		{p, Request{Class: 1, Seeds: one, Init: full, Strength: 1.5}, "strength 1.5"},
		{p, Request{Class: 1, Seeds: one, Init: full, Strength: 0.01}, "strength 0.01"},
		{p, Request{Class: 1, Seeds: one, Init: full, Mask: []float32{1}}, "a mask of 1 pixels"},
		{p, Request{Class: 1, Seeds: one, Init: full, Invert: true}, "continuous spacing"},
		{p, Request{Class: 1, Seeds: one, Init: full, Spacing: "logsnr", Solver: "ddim"}, "want another spacing"},
		{p, Request{Class: 1, Seeds: one, Tile: 64}, "tiles of 64 pixels for DDPMPipeline, which decodes nothing"},
		{sd, Request{Class: None, Seeds: one, PromptIDs: []int32{1}, Tile: -8}, "tiles of -8 pixels: want a multiple of 2, at least 8"},
		{sd, Request{Class: None, Seeds: one, PromptIDs: []int32{1}, Tile: 6}, "tiles of 6 pixels"},
		{sd, Request{Class: None, Seeds: one, PromptIDs: []int32{1}, Tile: 9}, "tiles of 9 pixels"},
		{sd, Request{Class: 2, Seeds: one, PromptIDs: []int32{1}}, "class 2 for StableDiffusionPipeline"},
		{sd, Request{Class: None, Seeds: one, Prompt: "x"}, "a folder without a tokenizer"},
		{sd, Request{Class: None, Seeds: one, PromptIDs: []int32{1 << 20}}, "prompt"},
		{sd, Request{Class: None, Seeds: one, PromptIDs: []int32{1, 2}, NegativeIDs: []int32{1}, Guidance: 2}, "want as many"},
		{sd, Request{Class: None, Seeds: one, PromptIDs: []int32{1}, Width: 17}, "multiples of 2"},
		{dit, Request{Class: 1, Seeds: one, Width: 16, Height: 32}, "squares only"},
	} {
		if _, err := c.p.Generate(t.Context(), c.r); err == nil || !strings.HasPrefix(err.Error(), "pipeline: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want an error with %q", err, c.want)
		}
	}
}

func TestFindClass(t *testing.T) {
	p := &Pipeline{Classes: []string{"tench, Tinca tinca", "goldfish", "", "great white shark, white shark", "gold"}}
	for name, want := range map[string]int{"tench": 0, "tinca tinca": 0, " Goldfish": 1, "goldfishes": -1, "goldfishs": 1, "white": 3, "gold": 4, "golds": 4, "": -1, "cat": -1, "great": 3} {
		got, err := p.FindClass(name)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q is class %d, want %d (%v)", name, got, want, err)
		}
	}
}

// A tokenizer in CLIP's own two files gives the ids of the same one in tokenizer.json.
func TestWords(t *testing.T) {
	whole, err := os.ReadFile("../../tokenizer/testdata/golden/clip/tokenizer.json")
	if err != nil {
		t.Skip(err)
	}
	vocab, merges := split(t, whole)
	folder := func(files map[string]string) *words {
		f := load(t, "sd_pipeline")
		for name, text := range files {
			put("tokenizer/"+name, text)(f)
		}
		w, err := openWords(&folder{fsys: f})
		if err != nil {
			t.Fatal(err)
		}
		w.most = 77
		return w
	}
	one := folder(map[string]string{"tokenizer.json": string(whole)})
	two := folder(map[string]string{"vocab.json": vocab, "merges.txt": merges, "special_tokens_map.json": `{"pad_token":{"content":"!"},"bos_token":"<|startoftext|>"}`})
	for _, text := range []string{"", "A photo of  a Cat, it's 42!", "naïve café\t東京 <|endoftext|>", strings.Repeat("word ", 100)} {
		a, lost := one.ids(text)
		b, lost2 := two.ids(text)
		if len(a) != 77 || a[0] != one.begin || lost != lost2 || (lost > 0) != (len(text) > 300) {
			t.Errorf("%q: %d ids, %d and %d lost", text, len(a), lost, lost2)
		}
		end := slices.Index(a, one.end)
		if !slices.Equal(a[:end+1], b[:end+1]) || end < 76 && (a[76] != one.end || b[76] != 0) {
			t.Errorf("%q: %v and %v", text, a, b)
		}
	}
}
