package synth

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/diffusion/pipeline"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// Every preset is a model that can be loaded.
func TestPresets(t *testing.T) {
	for _, name := range Presets() {
		config, err := Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		tensors, err := models.Tensors(loader.StandardJSON(config))
		if err != nil || len(tensors) == 0 {
			t.Errorf("%s: %d tensors, %v", name, len(tensors), err)
		}
	}
}

// The shapes of mmMamba are the released ones: their numbers of parameters, in which the released
// files count a second table of embeddings and a token that nothing uses.
func TestMMMambaParameters(t *testing.T) {
	const unused = 92553*2048 + 2048
	for name, want := range map[string]int{"linear": 2_741_992_448, "hybrid": 2_708_076_288, "mha": 2_606_327_808} {
		config, err := Preset("mmmamba-" + name + "-2.7b")
		if err != nil {
			t.Fatal(err)
		}
		tensors, err := models.Tensors(loader.StandardJSON(config))
		if err != nil {
			t.Fatal(err)
		}
		found := unused
		for _, x := range tensors {
			found += x.Elements()
		}
		if found != want {
			t.Errorf("%s: %d parameters, want %d", name, found, want)
		}
	}
}

// TestPipelines writes the smallest pipeline, once, and counts the parameters of all.
func TestPipelines(t *testing.T) {
	for name, want := range map[string]int{"sd15": 859_520_964 + 83_653_863 + 123_060_480, "ddpm-cifar10": 35_746_307, "dit-xl": 749_826_464 + 83_653_863} {
		files, err := fs.Sub(pipelines, "pipelines/"+name)
		if err != nil {
			t.Fatal(err)
		}
		parts, err := networks(files)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, p := range parts {
			for _, x := range p.tensors {
				found += x.Elements()
			}
		}
		if found != want || !slices.Contains(Pipelines(), name) {
			t.Errorf("%s: %d parameters, want %d", name, found, want)
		}
	}
	dir, done := t.TempDir(), int64(0)
	opts := Options{Type: tensor.F16, Progress: func(now, total int64) { done = now }}
	if err := WritePipeline(t.Context(), dir, "ddpm-cifar10", opts); err != nil || done != 2*35_746_307 {
		t.Fatalf("%d bytes, %v", done, err)
	}
	p, err := pipeline.Open(dir, pipeline.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Params != 35_746_307 || p.Size != 32 {
		t.Errorf("%d parameters, %d pixels", p.Params, p.Size)
	}
	if err := WritePipeline(t.Context(), dir, "ddpm-cifar10", opts); err == nil || !strings.Contains(err.Error(), "model_index.json exists") {
		t.Errorf("again: %v", err)
	}
	if err := WritePipeline(t.Context(), t.TempDir(), "sd3", opts); err == nil || !strings.Contains(err.Error(), `unknown pipeline "sd3"`) {
		t.Errorf("unknown: %v", err)
	}
}

// TestVocabulary: the two files are those of a vocabulary of CLIP's size, whose merges make its tokens.
func TestVocabulary(t *testing.T) {
	vocab, merges := vocabulary()
	var ids map[string]int
	if err := json.Unmarshal(vocab, &ids); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 49408 || ids["<|startoftext|>"] != 49406 || ids["<|endoftext|>"] != 49407 {
		t.Errorf("%d tokens, ends %d and %d", len(ids), ids["<|startoftext|>"], ids["<|endoftext|>"])
	}
	lines := strings.Split(strings.TrimSuffix(string(merges), "\n"), "\n")[1:]
	for i, line := range lines {
		left, right, _ := strings.Cut(line, " ")
		if id, ok := ids[left+right]; !ok || id != 512+i {
			t.Fatalf("merge %d, %q, gives token %d, %t", i, line, id, ok)
		}
		_, l := ids[left]
		if _, r := ids[right]; !l || !r {
			t.Fatalf("merge %q is of what are no tokens", line)
		}
	}
}

// An interrupted writer leaves no file.
func TestInterrupted(t *testing.T) {
	config, err := Preset("gla-130m")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	err = Write(ctx, dir, config, Options{Type: tensor.BF16, Progress: func(done, total int64) { cancel() }})
	files, _ := os.ReadDir(dir)
	if !errors.Is(err, context.Canceled) || len(files) != 0 {
		t.Errorf("%v, %v", err, files)
	}
}
