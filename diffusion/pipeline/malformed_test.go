package pipeline

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
)

// load reads a golden folder into memory.
func load(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	dir := filepath.Join("testdata/golden", name)
	if _, err := os.Stat(dir); err != nil {
		t.Skip("the goldens are in the repository, not in a module download")
	}
	files := fstest.MapFS{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var data []byte
			if data, err = os.ReadFile(filepath.Join(dir, path)); err == nil {
				files[path] = &fstest.MapFile{Data: data}
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// edit sets a key of a JSON file; nil deletes it.
func edit(file, key string, value any) func(fstest.MapFS) {
	return func(f fstest.MapFS) {
		var keys map[string]any
		if err := json.Unmarshal(f[file].Data, &keys); err != nil {
			panic(err)
		}
		if keys[key] = value; value == nil {
			delete(keys, key)
		}
		data, err := json.Marshal(keys)
		if err != nil {
			panic(err)
		}
		f[file] = &fstest.MapFile{Data: data}
	}
}

// put replaces a file, and remove leaves one out.
func put(file, text string) func(fstest.MapFS) {
	return func(f fstest.MapFS) { f[file] = &fstest.MapFile{Data: []byte(text)} }
}

func remove(file string) func(fstest.MapFS) { return func(f fstest.MapFS) { delete(f, file) } }

// move renames a file.
func move(from, to string) func(fstest.MapFS) {
	return func(f fstest.MapFS) { f[to] = f[from]; delete(f, from) }
}

const (
	indexFile   = "model_index.json"
	noiseFile   = "scheduler/scheduler_config.json"
	weightsFile = "diffusion_pytorch_model.safetensors"
)

var malformed = []struct {
	name   string
	folder string
	change func(fstest.MapFS)
	want   string // in the error
}{
	{"no index", "sd", remove(indexFile), "model_index.json: file does not exist"},
	{"a part alone", "ddpm", func(f fstest.MapFS) { move("unet/config.json", "config.json")(f); delete(f, indexFile) }, "give the directory above"},
	{"index is no JSON", "sd", put(indexFile, "{"), "model_index.json"},
	{"index is a list", "sd", put(indexFile, "[]"), "model_index.json"},
	{"index is null", "sd", put(indexFile, "null"), "_class_name: found no text"},
	{"index is empty", "sd", put(indexFile, ""), "model_index.json"},
	{"index is a directory", "sd", func(f fstest.MapFS) { f[indexFile] = &fstest.MapFile{Mode: fs.ModeDir} }, "expected a file"},
	{"index is a pipe", "sd", func(f fstest.MapFS) { f[indexFile] = &fstest.MapFile{Mode: fs.ModeNamedPipe} }, "expected a file"},
	{"index is huge", "sd", put(indexFile, strings.Repeat(" ", maxJSON+1)), "expected a file of at most"},
	{"class is a number", "sd", edit(indexFile, "_class_name", 3), "_class_name: found no text"},
	{"pipeline unknown", "sd", edit(indexFile, "_class_name", "FluxPipeline"), `found "FluxPipeline", expected one of`},
	{"long class name", "sd", edit(indexFile, "_class_name", strings.Repeat("x", 1000)), `xxx...", expected one of`},
	{"network of another kind", "sd", edit(indexFile, "unet", []string{"diffusers", "UNet2DModel"}), `unet: found class "UNet2DModel", expected UNet2DConditionModel`},
	{"autoencoder unknown", "sd", edit(indexFile, "vae", []string{"diffusers", "VQModel"}), `vae: found class "VQModel"`},
	{"text encoder unknown", "sd", edit(indexFile, "text_encoder", []string{"transformers", "T5EncoderModel"}), `text_encoder: found class "T5EncoderModel"`},
	{"scheduler unknown", "sd", edit(indexFile, "scheduler", []string{"diffusers", "MagicScheduler"}), `class "MagicScheduler"`},
	{"code of its own", "sd", edit(indexFile, "unet", []string{"my_unet", "UNet2DConditionModel"}), "code that comes with a model does not run"},
	{"part unknown", "sd", edit(indexFile, "controlnet", []string{"diffusers", "ControlNetModel"}), `"controlnet": found a part of class`},
	{"part climbs out", "sd", edit(indexFile, "../../etc", []string{"diffusers", "UNet2DConditionModel"}), `"../../etc": found a part`},
	{"part is a text", "sd", edit(indexFile, "unet", "UNet2DConditionModel"), "expected [library, class]"},
	{"part of three", "sd", edit(indexFile, "unet", []string{"a", "b", "c"}), "expected [library, class]"},
	{"part half null", "sd", edit(indexFile, "unet", []any{"diffusers", nil}), "expected [library, class]"},
	{"part of numbers", "sd", edit(indexFile, "unet", []int{1, 2}), "expected [library, class]"},
	{"part missing in the index", "sd", edit(indexFile, "vae", nil), "vae: found none, StableDiffusionPipeline needs one"},
	{"part absent in the index", "sd", edit(indexFile, "vae", []any{nil, nil}), "vae: found none, StableDiffusionPipeline needs one"},
	{"setting unknown", "sd", edit(indexFile, "force_zeros", true), `"force_zeros": found true`},
	{"label of no number", "dit", edit(indexFile, "id2label", map[string]string{"x": "cat"}), `id2label: found class "x"`},
	{"label below 0", "dit", edit(indexFile, "id2label", map[string]string{"-1": "cat"}), `id2label: found class "-1"`},
	{"label beyond the classes", "dit", edit(indexFile, "id2label", map[string]string{"10": "cat"}), "id2label 10"},
	{"labels are a list", "dit", edit(indexFile, "id2label", []string{"cat"}), "id2label"},
	{"no class beyond the classes", "ddpm", edit(indexFile, "null_class", 5), "null_class 5"},
	{"no class below 0", "ddpm", edit(indexFile, "null_class", -1), "null_class: found -1"},
	{"no class a text", "ddpm", edit(indexFile, "null_class", "x"), `null_class: found "x"`},

	{"no scheduler file", "sd", remove(noiseFile), "scheduler_config.json: file does not exist"},
	{"scheduler is no JSON", "sd", put(noiseFile, "x"), "scheduler_config.json"},
	{"scheduler is null", "sd", put(noiseFile, "null"), "scheduler_config.json"},
	{"no steps of training", "sd", edit(noiseFile, "num_train_timesteps", 0), "num_train_timesteps 0"},
	{"a billion steps of training", "sd", edit(noiseFile, "num_train_timesteps", 1<<30), "num_train_timesteps 1073741824"},
	{"betas of 1", "sd", edit(noiseFile, "beta_end", 1.0), "scheduler_config.json"},
	{"betas below 0", "ddpm", edit(noiseFile, "beta_start", -1.0), "scheduler_config.json"},
	{"prediction unknown", "sd", edit(noiseFile, "prediction_type", "x"), `prediction_type "x"`},

	{"no weights", "ddpm", remove("unet/" + weightsFile), "safetensors"},
	{"no configuration", "ddpm", remove("unet/config.json"), "without a config.json"},
	{"configuration is no JSON", "ddpm", put("unet/config.json", "{"), "config.json"},
	{"no directory of a part", "dit", func(f fstest.MapFS) {
		for name := range f {
			if strings.HasPrefix(name, "vae/") {
				delete(f, name)
			}
		}
	}, "vae: found no such directory"},
	{"a pickle for weights", "ddpm", func(f fstest.MapFS) {
		delete(f, "unet/"+weightsFile)
		put("unet/diffusion_pytorch_model.bin", "\x80\x02}q\x00.")(f)
	}, "found a pickle"},
	{"a torch archive for weights", "ddpm", put("unet/"+weightsFile, "PK\x03\x04\x00\x00\x08\x08\x00\x00\x00\x00\x00\x00archive/data.pkl"), "pickle"},
	{"weights cut short", "ddpm", func(f fstest.MapFS) {
		f["unet/"+weightsFile] = &fstest.MapFile{Data: f["unet/"+weightsFile].Data[:5000]}
	}, weightsFile},
	{"weights of another part", "dit", func(f fstest.MapFS) { f["transformer/"+weightsFile] = f["vae/"+weightsFile] }, "transformer"},
	{"shards climb out", "ddpm", func(f fstest.MapFS) {
		delete(f, "unet/"+weightsFile)
		put("unet/"+weightsFile+".index.json", `{"weight_map":{"conv_in.weight":"../../x.safetensors"}}`)(f)
	}, "../../x.safetensors"},
	{"a channel more than the weights", "ddpm", edit("unet/config.json", "in_channels", 4), "unet"},
	{"widths other than the weights", "ddpm", edit("unet/config.json", "block_out_channels", []int{16, 32}), "unet"},
	{"a block more than the weights", "ddpm", edit("unet/config.json", "layers_per_block", 2), "unet"},
	{"no groups", "ddpm", edit("unet/config.json", "norm_num_groups", 0), "norm_num_groups"},
	{"a huge width", "sd", edit("unet/config.json", "block_out_channels", []int{1 << 30, 1 << 30}), "unet"},
	{"a block unknown", "ddpm", edit("unet/config.json", "down_block_types", []string{"DownBlock2D", "SkipDownBlock2D"}), "SkipDownBlock2D"},
	{"context of another width", "sd", edit("unet/config.json", "cross_attention_dim", 32), "unet"},
	{"a tokenizer without files", "sd", edit(indexFile, "tokenizer", []string{"transformers", "CLIPTokenizer"}), "tokenizer"},
	{"a vocabulary without ends", "sd", func(f fstest.MapFS) {
		edit(indexFile, "tokenizer", []string{"transformers", "CLIPTokenizer"})(f)
		put("tokenizer/vocab.json", `{"a":0}`)(f)
		put("tokenizer/merges.txt", "#version: 0.2\n")(f)
	}, `found no token "<|startoftext|>"`},
	{"merges of nothing", "sd", func(f fstest.MapFS) {
		edit(indexFile, "tokenizer", []string{"transformers", "CLIPTokenizer"})(f)
		put("tokenizer/vocab.json", `{"a":0,"<|startoftext|>":1,"<|endoftext|>":2}`)(f)
		put("tokenizer/merges.txt", "#version: 0.2\nx y\n")(f)
	}, "tokenizer"},
}

// TestMalformed opens folders with one thing wrong in each.
func TestMalformed(t *testing.T) {
	for _, c := range malformed {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			files := load(t, c.folder+"_pipeline")
			c.change(files)
			p, err := OpenFS(files, Options{})
			if err == nil {
				p.Close()
				t.Fatal("accepted")
			}
			if !strings.HasPrefix(err.Error(), "pipeline: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want one that begins with pipeline: and has %q", err, c.want)
			}
		})
	}
}

// TestLeavingLinks opens a folder whose part is a link to the outside.
func TestLeavingLinks(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	for name, file := range load(t, "ddpm_pipeline") {
		at := dir
		if strings.HasPrefix(name, "unet/") {
			at = outside
		}
		path := filepath.Join(at, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(outside, "unet"), filepath.Join(dir, "unet")); err != nil {
		t.Skip(err)
	}
	if p, err := Open(dir, Options{}); err == nil {
		p.Close()
		t.Error("a part outside the folder was opened")
	}
}

// FuzzIndex feeds texts as model_index.json.
func FuzzIndex(f *testing.F) {
	f.Add([]byte(`{"_class_name":"DDPMPipeline","unet":["diffusers","UNet2DModel"],"scheduler":["diffusers","DDPMScheduler"],"id2label":{"0":"a, b"},"null_class":1}`))
	f.Add([]byte(`{"_class_name":"StableDiffusionPipeline","vae":[null,null],"x":[1,2]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := parseIndex(data)
		if err != nil {
			return
		}
		r := recipes[x.class]
		for name := range x.parts {
			if _, ok := r.parts[name]; !ok {
				t.Errorf("part %q of %s", name, x.class)
			}
		}
		if x.null < -1 || x.null >= maxClasses {
			t.Errorf("null class %d", x.null)
		}
	})
}

// FuzzScheduler feeds texts as scheduler_config.json, with every solver's keys over them.
func FuzzScheduler(f *testing.F) {
	f.Add([]byte(`{"_class_name":"DDIMScheduler","num_train_timesteps":100,"_use_default_values":["clip_sample"],"lambda_min_clipped":-Infinity}`), uint8(2), uint8(3))
	f.Add([]byte(`{"_class_name":"PNDMScheduler","trained_betas":[0.1,0.2]}`), uint8(0), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, solver, spacing uint8) {
		files := fstest.MapFS{
			"scheduler_config.json": {Data: data},
			"model_index.json":      {Data: []byte(`{"_class_name":"DDPMPipeline","unet":["diffusers","UNet2DModel"],"scheduler":["diffusers","DDIMScheduler"]}`)},
		}
		folder, err := openFolder(files)
		if err != nil {
			t.Fatal(err)
		}
		p := &Pipeline{folder: folder}
		r := Request{Spacing: Spacings()[int(spacing)%len(Spacings())]}
		if n := int(solver) % (len(Solvers()) + 1); n > 0 {
			r.Solver = Solvers()[n-1].Name
		}
		s, err := p.scheduler(&r)
		if err != nil {
			return
		}
		if plan, err := (&job{Request: Request{Steps: 5}, scheduler: s}).newPlan(1); err == nil && len(plan.Levels) < 2 {
			t.Errorf("a plan of %d levels", len(plan.Levels))
		}
	})
}

// split takes a tokenizer.json apart.
func split(t *testing.T, whole []byte) (vocab, merges string) {
	t.Helper()
	var file struct {
		Model struct {
			Vocab  json.RawMessage
			Merges []string
		}
	}
	if err := json.Unmarshal(whole, &file); err != nil {
		t.Fatal(err)
	}
	return string(file.Model.Vocab), "#version: 0.2\n" + strings.Join(file.Model.Merges, "\n") + "\n"
}
