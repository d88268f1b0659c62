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
