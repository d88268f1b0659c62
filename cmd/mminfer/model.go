package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
)

// modelFlags choose a model and how it is run.
type modelFlags struct {
	dir      string
	pictures bool // without dir it is the built-in model that takes pictures
	threads  *whole
	quant    *format
	kv       *choice
	subnet   *subnetFlags
}

// modelFlag adds -m.
func modelFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVarP(dir, "model", "m", "", "`directory` or GGUF file of the model, or a built-in one: fable, reader")
	_ = c.MarkFlagFilename("model", "gguf") // fails only if the flag does not exist; directories are completed too
}

func newModelFlags(c *cobra.Command) *modelFlags {
	m := new(modelFlags)
	modelFlag(c, &m.dir)
	m.threads, m.quant, m.kv = threadsFlag(c), quantFlag(c), kvFlag(c)
	m.subnet = newSubnetFlags(c).shapeOf()
	return m
}

// name is what the model is called in output.
func (m *modelFlags) name() string {
	if m.dir == "" && m.pictures {
		return demo.Reader
	}
	return modelName(m.dir)
}

// modelName is what a model is called in output: the last part of its directory's path.
func modelName(dir string) string {
	if dir == "" {
		return demo.Fable
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	return filepath.Base(dir)
}

// builtin returns the built-in model that is meant by an empty path, or by its name where that is no
// path.
func builtin(dir string) (name string, ok bool) {
	switch dir {
	case "":
		return demo.Fable, true
	case demo.Fable, demo.Reader:
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return dir, true
		}
	}
	return "", false
}

// packingHidden is how long packing goes on without a bar.
const packingHidden = 300 * time.Millisecond

// open loads the model. When ctx ends it returns at once and leaves the loading to itself.
func (a *app) open(ctx context.Context, m *modelFlags, more ...mminfer.Option) (*mminfer.Engine, error) {
	bar := a.bar("packing weights", packingHidden, bytesText)
	defer bar.done()
	opts := []mminfer.Option{
		mminfer.WithThreads(m.threads.value), mminfer.WithFormat(m.quant.Format), mminfer.WithKV(kvFormats[m.kv.value]), mminfer.WithProgress(bar.set),
	}
	opts = append(append(opts, m.subnet.options()...), more...)
	e, err := await(ctx, func() (*mminfer.Engine, error) {
		name, ok := builtin(m.dir)
		switch {
		case m.dir == "" && m.pictures:
			return mminfer.OpenFS(demo.FS, demo.Reader, opts...)
		case ok:
			return mminfer.OpenFS(demo.FS, name, opts...)
		}
		return mminfer.Open(m.dir, opts...)
	})
	if err == nil && e.Info().Untrained {
		bar.done()
		fmt.Fprintf(a.stderr, untrained, e.Info().Shape)
	}
	return e, err
}

// untrained warns of a shape.
const untrained = "warning: the adapter's recipe does not train the shape %s: expect less of it\n"

// await opens what takes long. When ctx ends it returns at once, and what is opened later is closed.
func await[T io.Closer](ctx context.Context, open func() (T, error)) (T, error) {
	type result struct {
		opened T
		err    error
	}
	done := make(chan result)
	go func() {
		var r result
		r.opened, r.err = open()
		select {
		case done <- r:
		case <-ctx.Done():
			if r.err == nil {
				_ = r.opened.Close() // nobody is left to tell
			}
		}
	}()
	select {
	case r := <-done:
		return r.opened, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// openCheckpoint opens a model directory, or a built-in one, without building the model.
func openCheckpoint(dir string) (*loader.Checkpoint, error) {
	if name, ok := builtin(dir); ok {
		return loader.OpenFS(demo.FS, name)
	}
	return loader.Open(dir)
}

// openFiles opens a model, or a built-in one, for the files beside its weights.
func openFiles(dir string) (*loader.Checkpoint, error) {
	if _, ok := builtin(dir); ok {
		return openCheckpoint(dir)
	}
	return loader.OpenFiles(dir)
}

// formatName names a format; for auto, the one that most bytes of the checkpoint have, or that its weights
// were packed in.
func formatName(ck *loader.Checkpoint, f tensor.Format) string {
	if f == tensor.FormatAuto && ck.Format() != f {
		return ck.Format().String()
	}
	bytes := map[tensor.Format]int{}
	best := f
	for _, name := range ck.Names() {
		t, _ := ck.Tensor(name)
		kept := f.For(t.Type)
		if bytes[kept] += len(t.Data); bytes[kept] > bytes[best] {
			best = kept
		}
	}
	return strings.ToLower(best.String())
}
