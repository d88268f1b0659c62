package synth

import (
	"context"
	"errors"
	"os"
	"testing"

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
