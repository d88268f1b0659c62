package synth

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/mminfer/mminfer/diffusion/net"
	"github.com/mminfer/mminfer/tensor"
	"github.com/mminfer/mminfer/tokenizer"
)

// pipelines holds what released diffusion pipelines have beside weights and a vocabulary.
//
//go:embed pipelines
var pipelines embed.FS

// indexName is the file that makes a directory a pipeline.
const indexName = "model_index.json"

// Pipelines returns the names of the built-in diffusion pipelines, sorted.
func Pipelines() (names []string) {
	dirs, err := pipelines.ReadDir("pipelines")
	if err != nil {
		panic("synth.Pipelines: " + err.Error())
	}
	for _, d := range dirs {
		names = append(names, d.Name())
	}
	return names
}

// WritePipeline makes dir a diffusion pipeline in diffusers' layout, with the configurations of a built-in one and
// random weights as [Write] has them. A tokenizer of texts has as many tokens as CLIP's, and other ones. model_index.json
// comes last: without it the directory is no pipeline. An existing file is an error.
func WritePipeline(ctx context.Context, dir, name string, opts Options) error {
	files, err := fs.Sub(pipelines, path.Join("pipelines", name))
	if err != nil {
		return err
	}
	index, err := fs.ReadFile(files, indexName)
	if err != nil {
		return fmt.Errorf("synth: unknown pipeline %q: want one of %s", name, strings.Join(Pipelines(), ", "))
	}
	w, err := newWriter(ctx, opts)
	if err != nil {
		return err
	}
	parts, err := networks(files)
	if err != nil {
		return err
	}
	for _, p := range parts {
		w.add(p.tensors)
	}
	for _, file := range append([]part{{name: indexName}}, parts...) {
		if err := unused(filepath.Join(dir, file.name)); err != nil {
			return err
		}
	}
	if err := copyFiles(dir, files); err != nil {
		return err
	}
	for _, p := range parts {
		if err := w.file(filepath.Join(dir, p.name), p.tensors); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, indexName), index, 0o644)
}

// part is the file of a network's weights.
type part struct {
	name    string
	tensors []tensor.Tensor
}

// networks are those that a pipeline's configurations describe.
func networks(files fs.FS) (parts []part, err error) {
	configs, err := fs.Glob(files, "*/config.json")
	if err != nil {
		return nil, err
	}
	for _, name := range configs {
		config, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		tensors, err := net.Tensors(config)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		weights := "diffusion_pytorch_model.safetensors"
		if path.Dir(name) == "text_encoder" {
			weights = "model.safetensors"
		}
		parts = append(parts, part{path.Join(path.Dir(name), weights), tensors})
	}
	return parts, nil
}

// copyFiles writes the files of a pipeline but for its index, and a vocabulary where it has a tokenizer.
func copyFiles(dir string, files fs.FS) error {
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		at := filepath.Join(dir, filepath.FromSlash(name))
		switch {
		case err != nil:
			return err
		case d.IsDir():
			if err := os.MkdirAll(at, 0o755); err != nil || name != "tokenizer" {
				return err
			}
			vocab, merges := vocabulary()
			if err := os.WriteFile(filepath.Join(at, "vocab.json"), vocab, 0o644); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(at, "merges.txt"), merges, 0o644)
		case name == indexName:
			return nil
		}
		data, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return os.WriteFile(at, data, 0o644)
	})
}

// vocabulary returns vocab.json and merges.txt in the format and size of CLIP's, of two, three and four letters where CLIP's
// has words.
func vocabulary() (vocab, merges []byte) {
	const size, end = 49408, "</w>"
	ids := map[string]int{}
	add := func(token string) { ids[token] = len(ids) }
	for b := range 256 {
		add(tokenizer.ByteSymbol(byte(b)))
	}
	for b := range 256 {
		add(tokenizer.ByteSymbol(byte(b)) + end)
	}
	lines := bytes.NewBufferString("#version: 0.2\n")
	join := func(left, right string) {
		if len(ids) < size-2 {
			fmt.Fprintf(lines, "%s %s\n", left, right)
			add(left + right)
		}
	}
	starts := []string{""}
	for range 4 {
		var longer []string
		for _, start := range starts {
			for c := 'a'; c <= 'z'; c++ {
				longer = append(longer, start+string(c))
				if start != "" {
					join(start, string(c)+end)
					join(start, string(c))
				}
			}
		}
		starts = longer
	}
	add("<|startoftext|>")
	add("<|endoftext|>")
	vocab, err := json.Marshal(ids)
	if err != nil {
		panic("synth.vocabulary: " + err.Error()) // numbers by strings always can be
	}
	return vocab, lines.Bytes()
}
