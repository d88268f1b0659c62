package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// quantizing is the command quantize, or pack.
type quantizing struct {
	*app
	dst         string
	to          *format
	calibration string
	tokens      *whole
	threads     *whole
	except      []string
	json        bool
}

// quantized is what the command tells.
type quantized struct {
	Output  string         `json:"output"`
	Format  string         `json:"format"`
	Bytes   int64          `json:"bytes"` // of model.safetensors
	Bits    float64        `json:"bits_per_weight"`
	Tensors map[string]int `json:"tensors"` // by format
	Seconds float64        `json:"seconds"`
}

func (a *app) quantizeCommand() *cobra.Command {
	q := &quantizing{app: a, to: &format{tensor.FormatQ4}}
	c := &cobra.Command{
		Use:   "quantize SRC -o DIR --to FORMAT",
		Short: "Write a model with weights of fewer bits, ready to be mapped",
		Long: `Quantize writes the model directory or GGUF file SRC as a directory whose weights have
fewer bits and lie as products read them: it is mapped, not packed, when it is opened,
and computes the same bits as SRC with --quant FORMAT.

Heads and what recurrent layers put out stay at 8 bits at least; routers, gates,
decays, convolutions, norms and embeddings of their own keep their precision. --except
gives other matrices a format of their own. With a text, --calib, errors in columns
that are large in the model's activations there weigh more; the model is then loaded in
its own precision. Without, tensors pass one by one: the model may exceed the memory.

Formats: q8, q6, q5, q4 (uneven levels, 4.5 bits a weight), q4l (even levels and a
minimum, 5 bits).`,
		Example: `  mminfer quantize model -o model-q4 --to q4
  mminfer quantize model.gguf -o model-q5 --to q5 --calib text.txt
  mminfer quantize model -o model-mixed --to q4 --except 'down_proj|v_proj=q6'`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: modelPaths,
	}
	f := c.Flags()
	f.Var(q.to, "to", "weights of "+strings.Join(formatNames(), ", "))
	_ = c.RegisterFlagCompletionFunc("to", cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp))
	f.StringVar(&q.calibration, "calib", "", "a text, in `FILE`, that tells which columns matter")
	q.tokens = &whole{value: 16384, min: 1, max: 1 << 30}
	f.Var(q.tokens, "calib-tokens", "tokens of the text to use at most")
	f.StringArrayVar(&q.except, "except", nil, "`PATTERN=FORMAT`: matrices whose names match a regular expression have another format; may repeat, the last that matches counts")
	return q.finish(c)
}

func (a *app) packCommand() *cobra.Command {
	q := &quantizing{app: a, to: new(format)}
	c := &cobra.Command{
		Use:   "pack SRC -o DIR",
		Short: "Write a model as products read it, ready to be mapped",
		Long: `Pack writes the model directory or GGUF file SRC as a directory whose weights lie as
products read them: it is mapped, not packed, when it is opened, and computes the same
bits as SRC. Weights keep their precision unless --to says another one.`,
		Example: `  mminfer pack model -o model-packed
  mminfer pack model -o model-bf16 --to bf16`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: modelPaths,
	}
	c.Flags().Var(q.to, "to", "weights of "+strings.Join(formatNames(), ", "))
	_ = c.RegisterFlagCompletionFunc("to", cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp))
	return q.finish(c)
}

// finish adds what both commands have.
func (q *quantizing) finish(c *cobra.Command) *cobra.Command {
	c.Flags().StringVarP(&q.dst, "output", "o", "", "directory `DIR` to write, which must not exist")
	q.threads = threadsFlag(c)
	c.Flags().BoolVar(&q.json, "json", false, "write JSON")
	_ = c.MarkFlagRequired("output")
	return q.command(c, q.run)
}

func (q *quantizing) run(ctx context.Context, args []string) error {
	rules, err := parseExcept(q.except)
	if err != nil {
		return err
	}
	if entries, err := os.ReadDir(q.dst); err == nil && len(entries) > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: there is something already; give a directory that does not exist", q.dst)
	}
	start := time.Now()
	ck, err := openCheckpoint(args[0])
	if err != nil {
		return err
	}
	defer ck.Close()
	plan, err := models.Packing(ck, q.to.Format)
	if err != nil {
		return err
	}
	w := &packedWriter{app: q.app, ck: ck, format: q.to.Format, plan: plan, pool: tensor.NewPool(q.threads.value)}
	defer w.pool.Close()
	if err := w.list(rules); err != nil {
		return err
	}
	if q.calibration != "" {
		if w.importance, err = q.calibrate(ctx, args[0], ck, w.pool); err != nil {
			return err
		}
	}
	if err := w.write(ctx, args[0], filepath.Clean(q.dst)); err != nil {
		return err
	}
	r := quantized{q.dst, q.to.String(), w.bytes, 8 * float64(w.bytes) / float64(w.elements), w.counts, time.Since(start).Seconds()}
	if q.json {
		return writeJSON(q.out, r)
	}
	_, err = fmt.Fprintf(q.out, "%s: %s, %.2f bits a weight, %.1f s\n", r.Output, bytesText(r.Bytes), r.Bits, r.Seconds)
	return err
}

// exception is a rule of --except.
type exception struct {
	pattern *regexp.Regexp
	format  tensor.Format
}

func parseExcept(rules []string) (parsed []exception, err error) {
	for _, rule := range rules {
		i := strings.LastIndexByte(rule, '=')
		if i < 0 {
			return nil, usagef("--except %s: expected PATTERN=FORMAT", rule)
		}
		var f format
		if err := f.Set(rule[i+1:]); err != nil || f.Format == tensor.FormatAuto {
			return nil, usagef("--except %s: the format is none of %s", rule, strings.Join(formatNames()[1:], ", "))
		}
		p, err := regexp.Compile(rule[:i])
		if err != nil {
			return nil, usagef("--except %s: %w", rule, err)
		}
		parsed = append(parsed, exception{p, f.Format})
	}
	return parsed, nil
}
