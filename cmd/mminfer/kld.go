package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/kernels/route"
)

// kld is the command of that name.
type kld struct {
	*app
	dir     string
	threads *whole
	windows *windowFlags
	json    bool
}

func (a *app) kldCommand() *cobra.Command {
	k := &kld{app: a}
	c := &cobra.Command{
		Use:   "kld A B",
		Short: "Measure how far one model's predictions are from another's",
		Long: `Kld reads a text with two models of one vocabulary and tells the Kullback-Leibler
divergence of B's predictions from A's, in nats a token, how often both find the same
token most probable, and by how much the probability of A's most probable token
changes.

A and B are model directories or GGUF files, optionally with a weight format: DIR@q8. A format alone
means the model of -m, or the built-in one.`,
		Example: `  mminfer kld f32 q8 -f demo/fable/held.txt
  mminfer kld -m demo/fable bf16 q8 -f demo/fable/held.txt --context 512
  mminfer kld demo/fable@f32 demo/fable@bf16 -f demo/fable/held.txt --json`,
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: modelPaths,
	}
	modelFlag(c, &k.dir)
	k.threads = threadsFlag(c)
	k.windows = newWindowFlags(c)
	c.Flags().BoolVar(&k.json, "json", false, "write JSON")
	return a.command(c, k.run)
}

// model reads an argument: DIR, DIR@FORMAT or FORMAT.
func (k *kld) model(arg string) (*modelFlags, error) {
	m := &modelFlags{dir: arg, threads: k.threads, quant: new(format), kv: new(choice)}
	if _, err := os.Stat(arg); err == nil {
		return m, nil
	}
	dir, name := k.dir, arg
	if i := strings.LastIndexByte(arg, '@'); i >= 0 {
		dir, name = arg[:i], arg[i+1:]
	}
	if err := m.quant.Set(name); err != nil {
		return nil, usagef("%s: neither a directory nor a weight format, alone or after DIR@: %w", arg, err)
	}
	m.dir = dir
	return m, nil
}

func (k *kld) run(ctx context.Context, args []string) error {
	var models [2]*modelFlags
	for i, arg := range args {
		var err error
		if models[i], err = k.model(arg); err != nil {
			return err
		}
	}
	text, err := k.windows.read(k.app)
	if err != nil {
		return err
	}
	var engines [2]*mminfer.Engine
	for i, m := range models {
		if engines[i], err = k.open(ctx, m); err != nil {
			return fmt.Errorf("%s: %w", args[i], err)
		}
		defer engines[i].Close()
	}
	ids, err := k.tokenize(engines, args, text)
	if err != nil {
		return err
	}
	ids, windows, err := k.windows.cut(ids)
	if err != nil {
		return err
	}
	start := time.Now()
	d, err := k.compare(ctx, engines, ids, windows)
	if err != nil {
		return err
	}
	r := d.result()
	r.A, r.B, r.Tokens, r.Seconds = args[0], args[1], len(ids), time.Since(start).Seconds()
	if k.json {
		return writeJSON(k.out, r)
	}
	return r.write(k.out)
}

// tokenize demands that both models read the text as the same tokens.
func (k *kld) tokenize(engines [2]*mminfer.Engine, args []string, text string) ([]int32, error) {
	var ids [2][]int32
	for i, e := range engines {
		var err error
		if ids[i], err = e.Tokenize(text, k.windows.special); err != nil {
			return nil, fmt.Errorf("%s: %w", args[i], err)
		}
	}
	a, b := engines[0].Info().Vocab, engines[1].Info().Vocab
	if a != b || !slices.Equal(ids[0], ids[1]) {
		return nil, fmt.Errorf("%s and %s do not have the same vocabulary (%d and %d tokens): their predictions cannot be compared", args[0], args[1], a, b)
	}
	return ids[0], nil
}

// errStopped ends a walk over logits that nobody reads any more.
var errStopped = errors.New("stopped")

// rows yields the logits after every token of ids.
func rows(ctx context.Context, e *mminfer.Engine, ids []int32) iter.Seq2[[]float32, error] {
	return func(yield func([]float32, error) bool) {
		err := e.Logits(ctx, ids, func(_ int, logits []float32) error {
			if !yield(logits, nil) {
				return errStopped
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

// compare walks both models over the windows in step.
func (k *kld) compare(ctx context.Context, engines [2]*mminfer.Engine, ids []int32, windows []window) (*divergences, error) {
	bar := k.bar("reading the text", time.Second, tokensText)
	defer bar.done()
	d := new(divergences)
	for _, w := range windows {
		next, stop := iter.Pull2(rows(ctx, engines[1], ids[w.from:w.to]))
		at := w.from
		for a, err := range rows(ctx, engines[0], ids[w.from:w.to]) {
			var b []float32
			if err == nil {
				b, err, _ = next()
			}
			if err != nil {
				stop()
				return nil, err
			}
			if at++; at >= w.score && at < w.to {
				d.add(a, b, ids[at])
			}
			bar.set(int64(at), int64(len(ids)))
		}
		stop()
	}
	return d, nil
}

// divergences gathers what two models predict.
type divergences struct {
	kld        []float64
	same       int
	square     float64 // of the changes of the probability of A's most probable token
	nllA, nllB float64
}

func (d *divergences) add(a, b []float32, target int32) {
	d.kld = append(d.kld, mminfer.Divergence(a, b))
	top := int32(route.ArgMax(a))
	if top == int32(route.ArgMax(b)) {
		d.same++
	}
	change := math.Exp(mminfer.LogProbOf(b, top)) - math.Exp(mminfer.LogProbOf(a, top))
	d.square += change * change
	d.nllA -= mminfer.LogProbOf(a, target)
	d.nllB -= mminfer.LogProbOf(b, target)
}

// diverged is what the command writes. Divergences are in nats.
type diverged struct {
	A         string  `json:"a"`
	B         string  `json:"b"`
	Tokens    int     `json:"tokens"`
	Predicted int     `json:"predicted"`
	Mean      float64 `json:"mean_kld"`
	MeanError float64 `json:"mean_kld_error"` // standard error of the mean
	Median    float64 `json:"median_kld"`
	P99       float64 `json:"p99_kld"`
	Max       float64 `json:"max_kld"`
	Same      float64 `json:"top1_same"`   // share
	RMS       float64 `json:"rms_dp_top1"` // of the change of the probability of A's most probable token
	PPLA      float64 `json:"perplexity_a"`
	PPLB      float64 `json:"perplexity_b"`
	Seconds   float64 `json:"seconds"`
}

func (d *divergences) result() diverged {
	sorted, n := slices.Sorted(slices.Values(d.kld)), float64(len(d.kld))
	var sum, square float64
	for _, x := range d.kld {
		sum += x
	}
	mean := sum / n
	for _, x := range d.kld {
		square += (x - mean) * (x - mean)
	}
	at := func(q float64) float64 { return sorted[int(math.Ceil(q*n))-1] }
	return diverged{
		Predicted: len(d.kld), Mean: mean, MeanError: math.Sqrt(square/max(n-1, 1)) / math.Sqrt(n),
		Median: at(0.5), P99: at(0.99), Max: sorted[len(sorted)-1],
		Same: float64(d.same) / n, RMS: math.Sqrt(d.square / n), PPLA: math.Exp(d.nllA / n), PPLB: math.Exp(d.nllB / n),
	}
}

func (r *diverged) write(out *output) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "tokens\t%d, %d of them predicted\n", r.Tokens, r.Predicted)
	fmt.Fprintf(w, "mean kld\t%.6f ± %.6f nats\n", r.Mean, r.MeanError)
	fmt.Fprintf(w, "median kld\t%.6f\n99 %% kld\t%.6f\nmax kld\t%.6f\n", r.Median, r.P99, r.Max)
	fmt.Fprintf(w, "same top token\t%.2f %%\nrms change of p(top)\t%.4f\n", 100*r.Same, r.RMS)
	fmt.Fprintf(w, "perplexity\tA %.6f, B %.6f\n", r.PPLA, r.PPLB)
	return w.Flush()
}
