// Package synth writes checkpoints of real shapes with random weights, for measuring speed.
package synth

import (
	"bufio"
	"context"
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// presets holds config.json of released or typical models, in files named ARCH-SIZE.json.
//
//go:embed presets
var presets embed.FS

// Presets returns the names of the built-in configurations, sorted.
func Presets() []string {
	files, err := presets.ReadDir("presets")
	if err != nil {
		panic("synth.Presets: " + err.Error())
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".json"))
	}
	return names
}

// Preset returns a built-in configuration.
func Preset(name string) ([]byte, error) {
	config, err := presets.ReadFile("presets/" + name + ".json")
	if err != nil {
		return nil, fmt.Errorf("synth: unknown preset %q: want one of %s", name, strings.Join(append(Presets(), Pipelines()...), ", "))
	}
	return config, nil
}

// Options say how to write a checkpoint.
type Options struct {
	Type     tensor.Type             // BF16, F16 or F32
	Progress func(done, total int64) // bytes of tensors
}

// Write makes dir a model directory with config as its config.json. Names and shapes are those
// that the architecture binds; the values depend on names alone. model.safetensors appears when it
// is whole; an existing one is an error.
func Write(ctx context.Context, dir string, config []byte, opts Options) (err error) {
	tensors, err := models.Tensors(loader.StandardJSON(config))
	if err != nil {
		return err
	}
	w, err := newWriter(ctx, opts)
	if err != nil {
		return err
	}
	w.add(tensors)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	weights := filepath.Join(dir, "model.safetensors")
	if err := unused(weights); err != nil {
		return err
	}
	if err := w.file(weights, tensors); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "config.json"), config, 0o644)
}

// unused reports an error if a file exists.
func unused(name string) error {
	if _, err := os.Lstat(name); err == nil {
		return fmt.Errorf("synth: %s exists: name another directory or remove it", name)
	}
	return nil
}

// writer writes tensors and tells how far it is.
type writer struct {
	Options
	ctx         context.Context
	done, total int64
}

func newWriter(ctx context.Context, opts Options) (*writer, error) {
	switch opts.Type {
	case tensor.F32, tensor.F16, tensor.BF16:
		return &writer{Options: opts, ctx: ctx}, nil
	}
	return nil, fmt.Errorf("synth: type %v: want BF16, F16 or F32", opts.Type)
}

// add counts tensors that are to be written, and gives them their type.
func (w *writer) add(tensors []tensor.Tensor) {
	for i := range tensors {
		tensors[i].Type = w.Type
		w.total += int64(tensors[i].Elements() * w.Type.Size())
	}
}

// file writes the tensors to a file that gets its name when it is whole.
func (w *writer) file(name string, tensors []tensor.Tensor) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err == nil {
			err = os.Rename(f.Name(), name)
		}
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<20)
	if err := loader.WriteFunc(b, tensors, nil, w.tensor); err != nil {
		return err
	}
	return b.Flush()
}

// tensor writes a tensor's values: norms around 1, other vectors around 0, matrices scaled so that
// activations keep their size.
func (w *writer) tensor(to io.Writer, t tensor.Tensor) error {
	mean, spread := 0.0, 0.5
	switch {
	case len(t.Shape) > 1:
		spread = 1.7 / math.Sqrt(float64(t.Elements()/t.Shape[0]))
	case strings.Contains(t.Name, "norm"):
		mean, spread = 1, 0.1
	}
	seed := uint64(14695981039346656037)
	for _, c := range []byte(t.Name) {
		seed = (seed ^ uint64(c)) * 1099511628211
	}
	r := rand.New(rand.NewPCG(seed, 1))
	buf := make([]byte, 0, 1<<16)
	for n := t.Elements(); n > 0; {
		buf = buf[:0]
		for ; n > 0 && len(buf) < cap(buf); n-- {
			buf = appendValue(buf, t.Type, float32(mean+spread*(2*r.Float64()-1)))
		}
		if _, err := to.Write(buf); err != nil {
			return err
		}
		w.done += int64(len(buf))
		if w.Progress != nil {
			w.Progress(w.done, w.total)
		}
		if err := w.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// appendValue appends a number in a type that Write takes.
func appendValue(buf []byte, to tensor.Type, v float32) []byte {
	switch to {
	case tensor.F32:
		return binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
	case tensor.F16:
		return binary.LittleEndian.AppendUint16(buf, tensor.Float16(v))
	default:
		return binary.LittleEndian.AppendUint16(buf, uint16(math.Float32bits(v)>>16))
	}
}
