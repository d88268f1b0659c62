package main

import (
	"context"
	"fmt"
	"os"
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
		Use:   "synth (--arch NAME --size SIZE | --config FILE) -o DIR",
		Short: "Write a model of a real shape with random weights",
		Long: `Synth writes config.json and model.safetensors of a real shape with random weights, to
measure speed and memory with. It has no tokenizer: bench takes it, generate does not.
The same model has the same weights on every machine.

Shapes: ` + strings.Join(synth.Presets(), ", ") + `.
The part after the last dash is the size. --config takes any config.json that mminfer
can load.`,
		Example: `  mminfer synth --arch mamba2 --size 130m -o mamba2 && mminfer bench -m mamba2
  mminfer synth --arch granite-h --size 350m --type f32 -o granite
  mminfer synth --config config.json -o mine`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	f.StringVar(&s.arch, "arch", "", "architecture: `NAME` of a built-in shape")
	f.StringVar(&s.size, "size", "", "its `SIZE`")
	f.StringVar(&s.config, "config", "", "config.json of the shape, in `FILE`")
	f.StringVarP(&s.dir, "output", "o", "", "directory `DIR` to write to")
	f.StringVar(&s.element, "type", "bf16", "type of the weights: bf16, f16 or f32")
	c.MarkFlagsRequiredTogether("arch", "size")
	c.MarkFlagsOneRequired("arch", "config")
	c.MarkFlagsMutuallyExclusive("arch", "config")
	_ = c.MarkFlagRequired("output")
	return a.command(c, s.run)
}

func (s *synthesis) run(ctx context.Context, _ []string) error {
	element, ok := elements[s.element]
	if !ok {
		return usageError{fmt.Errorf("--type: found %q, expected bf16, f16 or f32", s.element)}
	}
	config, err := s.shape()
	if err != nil {
		return err
	}
	bar := s.bar("writing weights", time.Second, bytesText)
	var size int64
	err = synth.Write(ctx, s.dir, config, synth.Options{Type: element, Progress: func(done, total int64) {
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

// shape returns config.json.
func (s *synthesis) shape() ([]byte, error) {
	if s.config != "" {
		return os.ReadFile(s.config)
	}
	return synth.Preset(s.arch + "-" + s.size)
}
