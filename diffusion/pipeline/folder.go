package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/mminfer/mminfer/diffusion"
	"github.com/mminfer/mminfer/loader"
	"github.com/mminfer/mminfer/tensor"
)

// maxJSON bounds the JSON files of a folder, in bytes. The vocabulary of CLIP is the largest, 1 MB.
const maxJSON = 16 << 20

// folder is an open pipeline's directory.
type folder struct {
	fsys  fs.FS
	index *index
	open  []*loader.Checkpoint // those that networks have views of
}

// openFolder reads the model_index.json of a directory.
func openFolder(fsys fs.FS) (*folder, error) {
	data, err := readFile(fsys, "model_index.json")
	if err != nil {
		if _, e := fs.Stat(fsys, "config.json"); e == nil && errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("model_index.json: found none beside config.json, which is a language model or a part of a pipeline: give the directory above")
		}
		return nil, fmt.Errorf("model_index.json: %w", err)
	}
	x, err := parseIndex(data)
	if err != nil {
		return nil, fmt.Errorf("model_index.json: %w", err)
	}
	return &folder{fsys: fsys, index: x}, nil
}

// kind is what the pipeline draws from.
func (f *folder) kind() Kind { return recipes[f.index.class].kind }

// at is where a part lies: a directory of its name, or, in the first models of the kind, the top.
func (f *folder) at(part string) string {
	if info, err := fs.Stat(f.fsys, part); err == nil && info.IsDir() {
		return part
	}
	return "."
}

// checkpoint opens the configuration and the weights of a part, which the caller then settles.
func (f *folder) checkpoint(part string) (*loader.Checkpoint, error) {
	dir := f.at(part)
	ck, err := loader.OpenFS(f.fsys, dir)
	if err != nil {
		return nil, err
	}
	if ck.Config() == nil {
		return nil, errors.Join(fmt.Errorf("%s: found weights without a config.json", part), ck.Close())
	}
	return ck, nil
}

// settle closes a checkpoint of which a network was built, and with it the memory of its files. Of weights that lie
// packed in them a network has views: such files stay open.
func (f *folder) settle(ck *loader.Checkpoint) {
	if ck.Format() != tensor.FormatAuto {
		f.open = append(f.open, ck)
		return
	}
	_ = ck.Close() // it was only read
}

// scheduler reads the noise levels and the solver. Changes are keys of its configuration to set.
func (f *folder) scheduler(class string, changes map[string]any) (*diffusion.Scheduler, error) {
	const name = "scheduler_config.json"
	path := name
	if dir := f.at("scheduler"); dir != "." {
		path = dir + "/" + name
	}
	data, err := readFile(f.fsys, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if class == "" {
		class = f.index.parts["scheduler"].class
	}
	if data, err = merge(data, changes); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	s, err := diffusion.ParseScheduler(data, class)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// close closes what was opened.
func (f *folder) close() error {
	var errs []error
	for _, ck := range f.open {
		errs = append(errs, ck.Close())
	}
	f.open = nil
	return errors.Join(errs...)
}

// readFile reads a regular file of at most maxJSON bytes. A name that is no file's, such as a pipe's, is
// not opened: that could wait for ever.
func readFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, bare(err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxJSON {
		return nil, fmt.Errorf("found %s of %d bytes, expected a file of at most %d", info.Mode(), info.Size(), maxJSON)
	}
	h, err := fsys.Open(name)
	if err != nil {
		return nil, bare(err)
	}
	defer h.Close()
	data, err := io.ReadAll(io.LimitReader(h, maxJSON+1))
	if err == nil && len(data) > maxJSON {
		err = fmt.Errorf("found more than %d bytes", maxJSON)
	}
	return data, err
}

// bare is an error without the path, which the caller names.
func bare(err error) error {
	if pe := (*fs.PathError)(nil); errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// className is the class that a configuration names.
func className(config []byte) (string, error) {
	var c struct {
		Class string `json:"_class_name"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return "", fmt.Errorf("config.json: %w", err)
	}
	return c.Class, nil
}
