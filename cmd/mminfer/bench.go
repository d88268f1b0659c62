package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// bench is the command of that name.
type bench struct {
	*app
	dir                    string
	threads                list[whole, *whole]
	quants                 list[format, *format]
	tests                  list[benchTest, *benchTest]
	reps, sessions         whole
	form                   choice
	shapes                 list[shapeFlag, *shapeFlag]
	subnet                 *subnetFlags
	kv                     *choice
	json, noLimits, skip   bool
	cpuProfile, memProfile string

	limits map[int]limits // by threads
	w      benchWriter
}

func (a *app) benchCommand() *cobra.Command {
	b := &bench{
		app:      a,
		threads:  list[whole, *whole]{zero: whole{min: 1, max: maxThreads}},
		reps:     whole{5, 1, 1 << 20},
		sessions: whole{1, 1, 4096},
		form:     choice{"md", []string{"md", "csv", "json", "jsonl"}},
		limits:   map[int]limits{},
	}
	_ = b.threads.Set(strconv.Itoa(runtime.GOMAXPROCS(0))) // defaults that parse
	_ = b.quants.Set("auto")
	_ = b.tests.Set("pp512,tg128")
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of a model",
		Long: `Bench measures tokens per second. A test is ppN, a prompt of N tokens with the
logits of the last, or tgN, N single-token steps with logits after each; @D puts it
after D tokens. Token ids are random. Loading, tokens, sampling and a first round
are outside the clock.

The share is that of the memory bandwidth, for tg, or of the multiply-add peak, for
pp, both measured in the same run with the same threads. bytes/token are active
weights and state, read and written. On a busy machine the figures mean little.

-o jsonl, or --json, writes one JSON object a line: model, quant, threads, test,
tok_s, cpu_s (processor time of all repetitions), reps and more.

Depths of hours of prefill are within reach of --skip-depth: the context has the
size of real keys and values and none of their meaning.`,
		Example: `  mminfer bench
  mminfer bench -m demo/fable --tests pp512,tg64,tg64@1024 -t 1,2 --quant bf16,q8
  mminfer bench --tests tg64 --sessions 8 --reps 3 --json`,
		Args: cobra.NoArgs,
	}
	f := c.Flags()
	modelFlag(c, &b.dir)
	f.Var(&b.tests, "tests", "tests to run")
	f.VarP(&b.threads, "threads", "t", "threads that share a computation; several numbers measure with each")
	f.Var(&b.quants, "quant", quantHelp()+"; several measure each")
	b.kv = kvFlag(c)
	f.Var(&b.reps, "reps", "repetitions of each test")
	f.Var(&b.sessions, "sessions", "sequences computed together; tok/s is of all of them")
	f.VarP(&b.form, "output", "o", "md, csv, json or jsonl")
	f.BoolVar(&b.json, "json", false, "the same as -o jsonl")
	f.BoolVar(&b.skip, "skip-depth", false, "reach the depth of tests without computing it: keys and values there are zero")
	f.BoolVar(&b.noLimits, "no-limits", false, "do not measure the machine's limits; the share stays empty")
	f.StringVar(&b.cpuProfile, "cpuprofile", "", "write a CPU profile to `FILE`")
	f.StringVar(&b.memProfile, "memprofile", "", "write a heap profile to `FILE`")
	_ = f.MarkHidden("cpuprofile") // fails only if the flag does not exist
	_ = f.MarkHidden("memprofile")
	f.Var(&b.shapes, "shape", "measure subnets of these shapes, such as 32x1,24x0.75")
	b.subnet = newSubnetFlags(c)
	completeQuant(c)
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(b.form.words, cobra.ShellCompDirectiveNoFileComp))
	c.MarkFlagsMutuallyExclusive("json", "output")
	return a.command(c, b.run)
}

func (b *bench) run(ctx context.Context, _ []string) error {
	if b.json {
		b.form.value = "jsonl"
	}
	widest := modelName(b.dir)
	for _, shape := range b.shapes.values {
		if name := modelName(b.dir) + " " + shape.Shape.String(); len(name) > len(widest) {
			widest = name
		}
	}
	b.w = newBenchWriter(b.form.value, b.out, widest)
	stop, err := startCPUProfile(b.cpuProfile)
	if err != nil {
		return err
	}
	if b.shapes.values == nil {
		b.shapes.values = make([]shapeFlag, 1)
	}
	for _, q := range b.quants.values {
		for _, s := range b.shapes.values {
			if err == nil {
				err = b.format(ctx, q.Format, s)
			}
		}
	}
	if err := errors.Join(err, stop(), writeHeapProfile(b.memProfile)); err != nil {
		return err
	}
	return b.w.end()
}

// format measures the model, or a shape of it, in one format.
func (b *bench) format(ctx context.Context, f tensor.Format, shape shapeFlag) error {
	base, err := openCheckpoint(b.dir)
	if err != nil {
		return err
	}
	defer base.Close()
	ck, err := b.subnet.open(base, shape, f)
	if err != nil {
		return err
	}
	defer ck.Close()
	most := slices.MaxFunc(b.threads.values, func(x, y whole) int { return x.value - y.value })
	loading := tensor.NewPool(most.value)
	bar := b.bar("packing weights", packingHidden, bytesText)
	m, err := models.New(ck.model, models.Options{Format: f, KV: kvFormats[b.kv.value], Pool: loading, Progress: bar.set})
	bar.done()
	loading.Close()
	if err != nil {
		return err
	}
	defer m.Close()
	for _, t := range b.threads.values {
		row := benchRow{
			Model: modelName(b.dir), Type: m.Type, Shape: ck.about(), Quant: formatName(base, f), Threads: t.value, Sessions: b.sessions.value, Reps: b.reps.value,
			Bytes: m.WeightBytes(), Params: m.Params, ISA: widestISA(),
		}
		if err := b.withThreads(ctx, m, row); err != nil {
			return err
		}
	}
	return nil
}

// withThreads runs all tests on one number of threads.
func (b *bench) withThreads(ctx context.Context, m *models.Model, row benchRow) error {
	pool := tensor.NewPool(row.Threads)
	defer pool.Close()
	l, ok := b.limits[row.Threads]
	if !ok && !b.noLimits {
		b.status.draw("measuring the machine")
		var err error
		if l, err = measureLimits(ctx, row.Threads); err != nil {
			return err
		}
		b.limits[row.Threads] = l
	}
	r := newBenchRunner(m, pool, b.sessions.value)
	for _, t := range b.tests.values {
		row := row
		if err := b.measure(ctx, r, t, &row); err != nil {
			return err
		}
		row.shares(m, t, l)
		b.status.clear()
		if err := b.w.row(row); err != nil {
			return err
		}
	}
	return nil
}

// benchTest is a test: ppN or tgN, perhaps @D.
type benchTest struct {
	name   string
	prompt bool
	n      int
	depth  int
}

func (t *benchTest) String() string { return t.name }
func (t *benchTest) Type() string   { return "tests" }

// maxBenchTokens bounds a test's tokens.
const maxBenchTokens = 1 << 24

func (t *benchTest) Set(s string) error {
	head, depth, deep := strings.Cut(s, "@")
	n, isPrompt := strings.CutPrefix(head, "pp")
	if !isPrompt {
		n = strings.TrimPrefix(head, "tg")
	}
	*t = benchTest{name: s, prompt: isPrompt}
	var err, err2 error
	t.n, err = strconv.Atoi(n)
	if deep {
		t.depth, err2 = strconv.Atoi(depth)
	}
	if n == head || err != nil || err2 != nil || t.n < 1 || t.n > maxBenchTokens || t.depth < 0 || t.depth > maxBenchTokens {
		return fmt.Errorf("expected ppN or tgN, such as pp512, tg64 or tg64@1024, and not %q", s)
	}
	return nil
}

// mean returns the mean and the sample standard deviation.
func mean(x []float64) (mean, deviation float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		deviation += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(deviation / max(1, float64(len(x)-1)))
}
