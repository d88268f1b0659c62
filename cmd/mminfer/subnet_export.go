package main

import (
	"context"
	"encoding/json"
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
	"github.com/mminfer/mminfer/subnet"
	"github.com/mminfer/mminfer/tensor"
)

// shapeExport is the command subnet export.
type shapeExport struct {
	*shapes
	shape   shapeFlag
	dst     string
	element string
	compact bool
}

func (a *app) subnetExportCommand() *cobra.Command {
	e := new(shapeExport)
	c := &cobra.Command{
		Use:   "export -m MODEL --strategy DIR --shape SHAPE -o DIR",
		Short: "Write a shape as a model of its own",
		Long: `Export writes config.json, model.safetensors and the tokenizer of one shape, with an
adapter merged. transformers loads it as a LLaMA: its layers are padded with zeros to
the largest one, and have the biases that stand for what was dropped.

--compact writes layers as large as they are, and lists their sizes in config.json;
mminfer reads that too, and so little else does that this is for mminfer.`,
		Example: `  mminfer subnet export -m models/smollm2 --strategy strategy --shape 24x0.75 -o smol-24x0.75
  mminfer subnet export -m models/smollm2 --strategy strategy --shape 24x0.75 --compact --type bf16 -o smol-small
  mminfer subnet export -m models/smollm2 --layers 0-11,18-29 -o smol-24`,
		Args: cobra.NoArgs,
	}
	e.shapes = newShapes(a, c)
	_ = c.Flags().MarkHidden("quant") // weights are written as they are, or as --type
	f := c.Flags()
	f.Var(&e.shape, "shape", "the shape to write, such as 24x0.75")
	f.StringVarP(&e.dst, "output", "o", "", "directory `DIR` to write to")
	f.StringVar(&e.element, "type", "", "type of the weights: bf16, f16 or f32 (default: the model's, f32 where that is quantised)")
	f.BoolVar(&e.compact, "compact", false, "layers of their own sizes, for mminfer alone")
	_ = c.MarkFlagRequired("output")
	return a.command(c, e.run)
}

func (e *shapeExport) run(ctx context.Context, _ []string) error {
	element, known := elements[e.element]
	if e.element != "" && !known {
		return usagef("--type: found %q, expected bf16, f16 or f32", e.element)
	}
	defer e.close()
	if err := e.open(); err != nil {
		return err
	}
	shape := e.family.Whole()
	if e.shape.set {
		shape = e.shape.Shape
	} else if e.flags.layers.layers == nil {
		return usagef("which shape? give --shape: one of %s", shapesText(e.family.Shapes()))
	}
	cut, err := e.family.Cut(shape, subnet.Options{Format: tensor.FormatF32, Gates: e.flags.experts(), GateSeed: e.flags.gateSeed(), Depth: e.flags.layers.layers})
	if err != nil {
		return err
	}
	if e.family.Adapted() && !e.family.Trained(cut.Shape) {
		fmt.Fprintf(e.stderr, untrained, cut.Shape)
	}
	bar := e.bar("writing weights", time.Second, bytesText)
	out, err := cut.Export(subnet.ExportOptions{Uniform: !e.compact, Type: element, Pool: e.pool, Progress: bar.set})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(e.dst, 0o777); err != nil {
		return err
	}
	err = e.replaceFile(filepath.Join(e.dst, "model.safetensors"), func(w io.Writer) error { return out.Write(interrupted{ctx, w}) })
	bar.done()
	if err != nil {
		return err
	}
	if err := errors.Join(e.put("config.json", out.Config), e.tokenizerFiles()); err != nil {
		return err
	}
	_, err = fmt.Fprintf(e.out, "%s: %s of weights%s\n", e.dst, bytesText(out.Bytes), map[bool]string{true: "; only mminfer reads them", false: ""}[e.compact])
	return err
}

func shapesText(shapes []subnet.Shape) string {
	var words []string
	for _, s := range shapes {
		words = append(words, s.String())
	}
	return strings.Join(words, ", ")
}

// interrupted is a writer that fails once ctx has ended.
type interrupted struct {
	ctx context.Context
	w   io.Writer
}

func (i interrupted) Write(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	return i.w.Write(p)
}

// put writes a file of the directory.
func (e *shapeExport) put(name string, data []byte) error {
	return e.replaceFile(filepath.Join(e.dst, name), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// companions are the files beside weights that a model of the same vocabulary needs.
var companions = []string{
	"tokenizer.json", "tokenizer.model", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt",
	"generation_config.json", "chat_template.jinja", "chat_template.json",
}

// tokenizerFiles copies what is beside the weights, or makes it of a GGUF file's keys.
func (e *shapeExport) tokenizerFiles() error {
	g := e.ck.GGUF()
	if g == nil {
		var errs []error
		for _, name := range companions {
			data, err := e.ck.File(name)
			if err == nil {
				err = e.put(name, data)
			}
			if !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	}
	tok, err := mminfer.GGUFTokenizer(g)
	if errors.Is(err, mminfer.ErrNoTokenizer) {
		return nil
	}
	if err != nil {
		return err
	}
	data, err := mminfer.GGUFTokenizerJSON(g)
	if err != nil {
		fmt.Fprintf(e.stderr, "the tokenizer was not written: %v\n", err)
		return nil
	}
	config, err := mminfer.GGUFChat(g, tok)("tokenizer_config.json")
	if err != nil {
		return err
	}
	keys := map[string]any{}
	if err := json.Unmarshal(config, &keys); err != nil {
		return err
	}
	keys["tokenizer_class"] = "PreTrainedTokenizerFast" // it takes tokenizer.json as it is
	if config, err = json.MarshalIndent(keys, "", "  "); err != nil {
		return err
	}
	return errors.Join(e.put("tokenizer.json", data), e.put("tokenizer_config.json", config))
}
