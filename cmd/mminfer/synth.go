package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/internal/synth"
	"github.com/mminfer/mminfer/tensor"
)

// synthesis is the command synth.
type synthesis struct {
	*app
	arch, size, config, dir, element string
}

// elements are the types that synth writes.
var elements = map[string]tensor.Type{"bf16": tensor.BF16, "f16": tensor.F16, "f32": tensor.F32}

func (a *app) synthCommand() *cobra.Command {
	s := &synthesis{app: a}
	c := &cobra.Command{
		Use:   "synth (--arch NAME [--size SIZE] | --config FILE) -o DIR",
		Short: "Write a model of a real shape with random weights",
		Long: `Synth writes config.json and model.safetensors of a real shape with random weights, to
measure speed and memory with. It has no tokenizer: bench takes it, generate does not.
The same model has the same weights on every machine.

Shapes: ` + strings.Join(synth.Presets(), ", ") + `.
The part after the last dash is the size, which may also be part of the name. --config
takes any config.json that mminfer can load.

Diffusion pipelines: ` + strings.Join(synth.Pipelines(), ", ") + `.
They are folders in diffusers' layout that image draws with, noise. The tokenizer of
sd15 is as large as CLIP's, but its tokens are runs of letters.`,
		Example: `  mminfer synth --arch mamba2 --size 130m -o mamba2 && mminfer bench -m mamba2
  mminfer synth --arch sd15 -o sd15 && mminfer image -m sd15 -p "a cat" --quant q8 --steps 2
  mminfer synth --arch granite-h --size 350m --type f32 -o granite
  mminfer synth --config config.json -o mine`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&s.arch, "arch", "", "architecture: `NAME` of a built-in shape")
	f.StringVar(&s.size, "size", "", "its `SIZE`, if the name does not say it")
	f.StringVar(&s.config, "config", "", "config.json of the shape, in `FILE`")
	f.StringVarP(&s.dir, "output", "o", "", "directory `DIR` to write to")
	f.StringVar(&s.element, "type", "bf16", "type of the weights: bf16, f16 or f32")
	c.MarkFlagsOneRequired("arch", "config")
	c.MarkFlagsMutuallyExclusive("arch", "config")
	c.MarkFlagsMutuallyExclusive("size", "config")
	_ = c.MarkFlagRequired("output")
	return a.command(c, s.run)
}

func (s *synthesis) run(ctx context.Context, _ []string) error {
	element, ok := elements[s.element]
	if !ok {
		return usageError{fmt.Errorf("--type: found %q, expected bf16, f16 or f32", s.element)}
	}
	name := s.arch
	if s.size != "" {
		name += "-" + s.size
	}
	bar := s.bar("writing weights", time.Second, bytesText)
	var size int64
	err := s.write(ctx, name, synth.Options{Type: element, Progress: func(done, total int64) {
		size = total
		bar.set(done, total)
	}})
	bar.done()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "%s: %s of random weights\n", s.dir, bytesText(size))
	return err
}

// write writes a shape of a name, or that of --config.
func (s *synthesis) write(ctx context.Context, name string, opts synth.Options) error {
	if slices.Contains(synth.Pipelines(), name) {
		return synth.WritePipeline(ctx, s.dir, name, opts)
	}
	var config []byte
	var err error
	if s.config != "" {
		config, err = os.ReadFile(s.config)
	} else {
		config, err = synth.Preset(name)
	}
	if err != nil {
		return err
	}
	return synth.Write(ctx, s.dir, config, opts)
}
