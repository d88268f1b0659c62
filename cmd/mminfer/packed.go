package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mminfer/mminfer/demo"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
)

// packedWriter writes a packed checkpoint.
type packedWriter struct {
	*app
	ck         *loader.Checkpoint
	format     tensor.Format
	plan       map[string][]tensor.PackedRows
	importance map[string][]float32
	pool       *tensor.Pool

	tensors  []tensor.Tensor // as they will be in the file
	packing  loader.Packing
	counts   map[string]int
	elements int64
	bytes    int64
}

// list lays out the file: packed tensors first, whose sizes are multiples of 64 bytes, then the
// others as they are, elements in blocks as float32.
func (w *packedWriter) list(rules []exception) error {
	w.counts, w.packing = map[string]int{}, loader.Packing{Format: w.format.String(), Tensors: map[string]loader.PackedWeights{}}
	for _, name := range w.ck.Names() {
		t, _ := w.ck.Tensor(name)
		w.elements += int64(t.Elements())
		if t.Type == tensor.Packed {
			return fmt.Errorf("%s: the weights are packed already; start from the original", name)
		}
		if f, ok := tensor.Kept(t.Type); ok && w.plan[name] == nil && len(t.Shape) > 1 {
			w.plan[name] = []tensor.PackedRows{{Format: f, Rows: t.Elements() / t.Shape[len(t.Shape)-1]}}
		}
		out := tensor.Tensor{Name: name, Type: t.Type, Shape: t.Shape}
		rows := w.plan[name]
		if rows == nil {
			if t.Type.Size() == 0 {
				out.Type = tensor.F32
			}
			w.counts[out.Type.String()]++
		} else {
			out.Type, out.Shape = tensor.U8, []int{w.pack(t, rows, rules)}
		}
		w.tensors = append(w.tensors, out)
	}
	slices.SortStableFunc(w.tensors, func(a, b tensor.Tensor) int {
		return cmp.Or(cmp.Compare(len(w.plan[b.Name]), len(w.plan[a.Name])), cmp.Compare(b.Type.Size(), a.Type.Size()))
	})
	return nil
}

// pack notes how a tensor will be packed and returns its bytes.
func (w *packedWriter) pack(t tensor.Tensor, rows []tensor.PackedRows, rules []exception) (size int) {
	weights := loader.PackedWeights{Shape: t.Shape}
	for i, r := range rows {
		for _, rule := range rules {
			if r.Format.Quantised() && rule.pattern.MatchString(t.Name) {
				rows[i].Format = rule.format
			}
		}
		f := rows[i].Format
		weights.Runs = append(weights.Runs, loader.PackedRun{Format: f.String(), Rows: r.Rows})
		size += tensor.PackedSize(f, r.Rows, t.Shape[len(t.Shape)-1])
	}
	w.counts[rows[0].Format.String()]++
	w.packing.Tensors[t.Name] = weights
	return size
}

// write makes the directory beside its place and renames it when all of it is on the disk.
func (w *packedWriter) write(ctx context.Context, src, dst string) (err error) {
	parent := filepath.Dir(dst)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	tmp, err := os.MkdirTemp(parent, "."+filepath.Base(dst)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(tmp)
		}
	}()
	if err := w.files(ctx, src, tmp); err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(tmp, 0o755), syncDir(tmp)); err != nil {
		return err
	}
	w.saving.Lock()
	defer w.saving.Unlock()
	if err := os.Rename(tmp, dst); err != nil {
		return err
	}
	return syncDir(parent)
}

// files writes the files of the directory.
func (w *packedWriter) files(ctx context.Context, src, dir string) error {
	config, err := loader.AddPacking(w.ck.Config(), w.packing)
	if err != nil {
		return err
	}
	bytes := func(b []byte) func(io.Writer) error {
		return func(f io.Writer) error { _, err := f.Write(b); return err }
	}
	if err := writeNew(filepath.Join(dir, "config.json"), bytes(config)); err != nil {
		return err
	}
	if g := w.ck.GGUF(); g != nil {
		if err := writeNew(filepath.Join(dir, loader.TokenizerGGUF), g.Write); err != nil {
			return err
		}
	} else if err := w.copySide(src, dir); err != nil {
		return err
	}
	bar := w.bar("writing", packingHidden, bytesText)
	defer bar.done()
	return writeNew(filepath.Join(dir, "model.safetensors"), func(f io.Writer) error {
		return loader.WriteAligned(&meter{ctx, f, &w.bytes, w.total(), bar}, w.tensors, map[string]string{"format": "pt"}, w.data)
	})
}

// total is about the bytes of the file.
func (w *packedWriter) total() (n int64) {
	for _, t := range w.tensors {
		n += int64(t.Elements()) * int64(t.Type.Size())
	}
	return n
}

// data writes one tensor's.
func (w *packedWriter) data(f io.Writer, t tensor.Tensor) error {
	from, _ := w.ck.Tensor(t.Name)
	if rows := w.plan[t.Name]; rows != nil {
		importance := w.importance[t.Name]
		if len(importance) != from.Shape[len(from.Shape)-1] {
			importance = nil
		}
		return tensor.WritePacked(f, w.pool, from, rows, importance)
	}
	if from.Type != t.Type {
		from = tensor.Widened(from)
	}
	_, err := f.Write(from.Data)
	return err
}

// meter counts what is written and ends with its context.
type meter struct {
	ctx   context.Context
	to    io.Writer
	n     *int64
	total int64
	bar   *bar
}

func (m *meter) Write(p []byte) (int, error) {
	if err := m.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := m.to.Write(p)
	*m.n += int64(n)
	m.bar.set(min(*m.n, m.total), m.total)
	return n, err
}

// writeNew writes a file and brings it to the disk.
func writeNew(name string, write func(w io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<20)
	return errors.Join(write(b), b.Flush(), f.Sync(), f.Close())
}

// sideFiles are the files beside the weights of a model, or their endings.
var sideFiles = []string{".json", ".jinja", ".model", ".txt", ".tiktoken"}

// copySide copies the files beside the weights: tokenizer, templates, generation_config.json.
func (w *packedWriter) copySide(src, dir string) error {
	names, err := sideNames(src)
	if err != nil {
		return err
	}
	for _, name := range names {
		b, err := w.ck.File(name)
		if err != nil {
			return err
		}
		err = writeNew(filepath.Join(dir, name), func(f io.Writer) error { _, err := f.Write(b); return err })
		if err != nil {
			return err
		}
	}
	return nil
}

// sideNames lists the files to copy.
func sideNames(src string) (names []string, err error) {
	var entries []fs.DirEntry
	if name, ok := builtin(src); ok {
		entries, err = demo.FS.ReadDir(name)
	} else {
		entries, err = os.ReadDir(src)
	}
	for _, e := range entries {
		name := e.Name()
		info, statErr := e.Info()
		ending := slices.Contains(sideFiles, filepath.Ext(name))
		if e.IsDir() || !ending || name == "config.json" || strings.HasSuffix(name, ".index.json") || statErr == nil && info.Size() > 64<<20 {
			continue
		}
		names = append(names, name)
	}
	return names, err
}
