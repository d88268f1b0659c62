// Package loader opens model directories: safetensors files, whole or in shards behind an
// index, and the small JSON files beside them; GGUF files, as models in the layout of
// transformers; and single files of both kinds as they are.
//
// A checkpoint is treated as hostile. Every number of a header is checked before an
// allocation or a view depends on it, memory grows with the bytes that are present and not
// with what they claim, and parsing takes one pass. File names that a checkpoint gives are
// base names, and [Open] resolves them through [os.Root], so nothing outside the directory is
// read, not even through a symbolic link. Pickle files are recognised, to name them in the
// error, and never read.
//
// Tensor data are views of the mapped file, little-endian on every machine and aligned to
// nothing: a data section begins wherever its header ends.
//
// A mapped file must not be truncated while it is open: the system then answers an access
// with a fault that no program can turn into an error. Replace model files by renaming.
package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/mminfer/mminfer/tensor"
)

const (
	maxConfig   = 4 << 20  // bytes of config.json
	maxSideFile = 64 << 20 // bytes of a file that File returns

	defaultHeader = 32 << 20    // bytes of a safetensors header
	maxHeader     = 100_000_000 // the limit of the reference implementation
)

// stems are the names of weight files, without extension, in order of preference.
var stems = []string{"model", "diffusion_pytorch_model", "adapter_model", "model.fp16", "diffusion_pytorch_model.fp16"}

// Checkpoint is an open model directory. Its methods may be called concurrently, except
// Close.
type Checkpoint struct {
	dir      directory
	root     *os.Root // nil if the directory came as an fs.FS
	config   []byte
	tensors  []tensor.Tensor
	names    map[string]int // of tensors
	metadata map[string]string
	gguf     *GGUF
	packed   bool                     // config.json says that weights are packed
	format   tensor.Format            // of those
	derived  map[string]func() []byte // the data of tensors that the file holds in another form
	alone    bool                     // a single file is all of the model
	unmap    []func() error
	mapped   [][]byte // whole files
}

// Option changes a limit of [Open], [OpenFS] or [OpenFile].
type Option func(*options)

type options struct{ header int }

// HeaderLimit accepts headers of up to n bytes instead of 32 MiB; n beyond the limit that the
// safetensors format itself has, 100 MB, means 100 MB.
func HeaderLimit(n int) Option {
	return func(o *options) { o.header = max(0, min(n, maxHeader)) }
}

// Open opens the model directory dir: its config.json, if there is one, and its weights. They
// are the first of model.safetensors, model.safetensors.index.json with the shards it names,
// and the same two under the names diffusion_pytorch_model and adapter_model, then the variants
// model.fp16 and diffusion_pytorch_model.fp16; so a single file wins over an index, as in transformers.
//
// Weights that `mminfer quantize` or pack wrote are matrices again, of type [tensor.Packed], by what
// quantization_config in config.json says; [Checkpoint.Config] does not have it any more.
//
// A GGUF file is a model too, by its own path or as the only one in a directory without
// config.json: its keys and tensors are laid out as transformers has the same model, under
// transformers' names, and whatever is not understood is an error. [Checkpoint.GGUF] has the keys.
//
// Weights are memory-mapped where the system can. Symbolic links that leave dir are refused;
// dir itself may be one. In the cache of a model hub (NAME/snapshots/REVISION beside NAME/blobs),
// whose files are links, they may lead anywhere in NAME.
func Open(dir string, opts ...Option) (*Checkpoint, error) {
	return open(dir, (*Checkpoint).loadModel, (*Checkpoint).load, opts)
}

// OpenFiles opens what [Open] does for the files beside the weights, which it does not look at and
// which need not be there. Of a GGUF file it reads the metadata.
func OpenFiles(dir string, opts ...Option) (*Checkpoint, error) {
	return open(dir, (*Checkpoint).loadKeys, (*Checkpoint).loadFiles, opts)
}

// open opens a model's file or directory and loads it.
func open(dir string, file func(c *Checkpoint, name string, o options) error, all func(*Checkpoint, options) error, opts []Option) (*Checkpoint, error) {
	if info, err := os.Stat(dir); err == nil && info.Mode().IsRegular() {
		return openFile(dir, file, opts)
	}
	root, fsys, err := Root(dir)
	if err != nil {
		return nil, fmt.Errorf("loader: %w; give the directory that holds the model's config.json", err)
	}
	return finish(&Checkpoint{dir: directory{fsys, dir}, root: root}, all, opts)
}

// Root opens a directory whose symbolic links must not leave it, or, in the cache of a model hub, the
// model's part of the cache, as [Open] does: for folders of several checkpoints. The caller closes the
// root.
func Root(dir string) (*os.Root, fs.FS, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, nil, err
	}
	top, sub := dir, "."
	if abs, err := filepath.Abs(dir); err == nil && filepath.Base(filepath.Dir(abs)) == "snapshots" {
		name := filepath.Dir(filepath.Dir(abs))
		if info, err := os.Stat(filepath.Join(name, "blobs")); err == nil && info.IsDir() {
			top, sub = name, "snapshots/"+filepath.Base(abs)
		}
	}
	root, err := os.OpenRoot(top)
	if err != nil {
		return nil, nil, err
	}
	fsys, err := fs.Sub(root.FS(), sub)
	return root, fsys, err
}

// OpenFS is [Open] for the directory dir of fsys. Weights are read into memory, except that a
// file that is an [*os.File] is mapped, and that a file with a method
//
//	Bytes() []byte
//
// gives its whole contents by it, without a copy; they must stay as they are while the
// checkpoint is in use. Where symbolic links may lead is up to fsys.
func OpenFS(fsys fs.FS, dir string, opts ...Option) (*Checkpoint, error) {
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	info, err := fs.Stat(fsys, dir)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("loader: %w", err)
	case err == nil && info.Mode().IsRegular():
		return openFileFS(fsys, dir, (*Checkpoint).loadModel, opts)
	}
	return finish(&Checkpoint{dir: directory{sub, dir}}, (*Checkpoint).load, opts)
}

// OpenFile opens one safetensors or GGUF file of any name as a checkpoint without a configuration.
// Which of the two it is, its first bytes say. Tensors of a GGUF file keep the names they have
// there; [Checkpoint.GGUF] has its metadata.
//
// The path may be a symbolic link; the directory of the file itself is the checkpoint's.
func OpenFile(path string, opts ...Option) (*Checkpoint, error) {
	return openFile(path, (*Checkpoint).loadOne, opts)
}

// openFile opens the directory of a file and loads the file.
func openFile(path string, load func(c *Checkpoint, name string, o options) error, opts []Option) (*Checkpoint, error) {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	dir, name := filepath.Dir(path), filepath.Base(path)
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	one := func(c *Checkpoint, o options) error { return load(c, name, o) }
	return finish(&Checkpoint{dir: directory{root.FS(), dir}, root: root}, one, opts)
}

// OpenFileFS is [OpenFile] for a file of fsys, which is read as [OpenFS] does.
func OpenFileFS(fsys fs.FS, name string, opts ...Option) (*Checkpoint, error) {
	return openFileFS(fsys, name, (*Checkpoint).loadOne, opts)
}

func openFileFS(fsys fs.FS, name string, load func(c *Checkpoint, name string, o options) error, opts []Option) (*Checkpoint, error) {
	dir, base := path.Split(name)
	dir = path.Clean(dir)
	sub, err := fs.Sub(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	one := func(c *Checkpoint, o options) error { return load(c, base, o) }
	return finish(&Checkpoint{dir: directory{sub, dir}}, one, opts)
}

// finish loads c or closes it.
func finish(c *Checkpoint, load func(*Checkpoint, options) error, opts []Option) (*Checkpoint, error) {
	o := options{header: defaultHeader}
	for _, opt := range opts {
		opt(&o)
	}
	if err := load(c, o); err != nil {
		return nil, errors.Join(fmt.Errorf("loader: %w", err), c.Close())
	}
	return c, nil
}

// load reads the configuration and the weights.
func (c *Checkpoint) load(o options) error {
	config, err := c.dir.read("config.json", maxConfig)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if config == nil {
		if name, err := c.dir.onlyGGUF(); name != "" || err != nil {
			if err != nil {
				return err
			}
			return c.loadModel(name, o)
		}
	}
	c.config = StandardJSON(config)
	for _, stem := range stems {
		err := c.loadFile(stem+".safetensors", o)
		if errors.Is(err, fs.ErrNotExist) {
			err = c.loadIndex(stem+".safetensors.index.json", o)
		}
		if err == nil {
			err = c.unpack()
		}
		if err == nil && c.packed {
			err = c.loadTokenizerGGUF(o)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return c.dir.noWeights()
}

// loadOne makes the file of the given name the checkpoint's weights, whichever kind it is.
func (c *Checkpoint) loadOne(name string, o options) error {
	gguf, err := c.dir.isGGUF(name)
	if err != nil {
		return err
	}
	if !gguf {
		return c.loadFile(name, o)
	}
	f, err := readGGUF(c.dir, name, o.header)
	if err != nil {
		return err
	}
	c.add(f)
	return nil
}

// loadFiles loads nothing of a directory but the metadata of a GGUF file that is all of its model.
func (c *Checkpoint) loadFiles(o options) error {
	if _, err := c.dir.read("config.json", maxConfig); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, c.loadTokenizerGGUF(o))
	}
	name, err := c.dir.onlyGGUF()
	if err != nil || name == "" {
		return err
	}
	return c.loadKeys(name, o)
}

// loadKeys makes the GGUF file of the given name all of the checkpoint, as it is.
func (c *Checkpoint) loadKeys(name string, o options) error {
	gguf, err := c.dir.isGGUF(name)
	if err != nil {
		return err
	}
	if !gguf {
		return fmt.Errorf("%s: found a file that is no GGUF file, expected one or a model's directory", c.dir.path(name))
	}
	c.alone = true
	return c.loadOne(name, o)
}

// loadModel makes the GGUF file of the given name the checkpoint, as transformers lays it out.
func (c *Checkpoint) loadModel(name string, o options) error {
	if err := c.loadKeys(name, o); err != nil {
		return err
	}
	return c.asTransformers()
}

// loadFile makes the safetensors file of the given name the checkpoint's weights.
func (c *Checkpoint) loadFile(name string, o options) error {
	f, err := readSafetensors(c.dir, name, o.header)
	if err != nil {
		return err
	}
	c.add(f)
	return nil
}

// add adds the contents of a file to the checkpoint, which takes charge of the mapping.
func (c *Checkpoint) add(f contents) {
	if f.unmap != nil {
		c.unmap, c.mapped = append(c.unmap, f.unmap), append(c.mapped, f.mapped)
	}
	if c.names == nil {
		c.tensors, c.names, c.metadata, c.gguf = f.tensors, f.names, f.metadata, f.gguf
		return
	}
	for _, t := range f.tensors {
		c.names[t.Name] = len(c.tensors)
		c.tensors = append(c.tensors, t)
	}
	for k, v := range f.metadata {
		if c.metadata == nil {
			c.metadata = make(map[string]string)
		}
		if _, ok := c.metadata[k]; !ok {
			c.metadata[k] = v
		}
	}
}

// Config returns config.json with the bare words of Python's json replaced as
// [StandardJSON] does; nil if the directory has none. The caller must not modify it.
func (c *Checkpoint) Config() []byte { return c.config }

// Tensor returns the tensor of the given name and whether there is one. Its shape and data
// must not be modified, and its data not be used after Close: they may be mapped memory, and
// the program would crash.
func (c *Checkpoint) Tensor(name string) (tensor.Tensor, bool) {
	i, ok := c.names[name]
	if !ok {
		return tensor.Tensor{}, false
	}
	t := c.tensors[i]
	if data := c.derived[name]; data != nil {
		t.Data = data()
	}
	return t, true
}

// Names returns the names of all tensors, sorted.
func (c *Checkpoint) Names() []string {
	return slices.Sorted(maps.Keys(c.names))
}

// Bytes returns the size of all tensors together, in bytes.
func (c *Checkpoint) Bytes() int64 {
	var n int64
	for _, t := range c.tensors {
		if t.Type == tensor.Packed {
			n += int64(len(t.Data))
			continue
		}
		size, _ := dataSize(t) // it was checked, or has as many elements as what was
		n += size
	}
	return n
}

// Metadata returns the value of key in the __metadata__ of the weights and whether there is
// one; of several shards the first that has the key answers.
func (c *Checkpoint) Metadata(key string) (string, bool) {
	v, ok := c.metadata[key]
	return v, ok
}

// GGUF returns the metadata of a GGUF file, nil if the checkpoint is none.
func (c *Checkpoint) GGUF() *GGUF { return c.gguf }

// File returns the contents of another file of the directory, such as tokenizer.json, of at
// most 64 MiB. The name must be a base name. The error wraps [fs.ErrNotExist] if there is no
// such file; a model that is a GGUF file has none beside it.
func (c *Checkpoint) File(name string) ([]byte, error) {
	if !isBaseName(name) {
		return nil, fmt.Errorf("loader: file name: found %s, expected a base name", quote(name))
	}
	if c.alone {
		return nil, fmt.Errorf("loader: %s: %w", c.dir.path(name), fs.ErrNotExist)
	}
	data, err := c.dir.read(name, maxSideFile)
	if err != nil {
		return nil, fmt.Errorf("loader: %w", err)
	}
	return data, nil
}

// Close releases the mappings. Tensors, and views of their data, must not be used afterwards.
func (c *Checkpoint) Close() error {
	var errs []error
	for _, unmap := range c.unmap {
		errs = append(errs, unmap())
	}
	if c.root != nil {
		errs = append(errs, c.root.Close())
	}
	c.unmap, c.mapped, c.root, c.tensors, c.names, c.gguf = nil, nil, nil, nil, nil, nil
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("loader: close: %w", err)
	}
	return nil
}
