package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/spf13/cobra"

	"github.com/mminfer/mminfer"
)

// perplexity is the command of that name.
type perplexity struct {
	*app
	model   *modelFlags
	windows *windowFlags
	json    bool
}

// perplexed is what it writes.
type perplexed struct {
	Model      string  `json:"model"`
	Quant      string  `json:"quant"`
	Tokens     int     `json:"tokens"`
	Predicted  int     `json:"predicted"`
	Context    int     `json:"context"`  // 0: one window
	Stride     int     `json:"stride"`   // 0: the context
	NLL        float64 `json:"mean_nll"` // nats a token
	Perplexity float64 `json:"perplexity"`
	Seconds    float64 `json:"seconds"`
}

func (a *app) perplexityCommand() *cobra.Command {
	p := &perplexity{app: a}
	c := &cobra.Command{
		Use:   "perplexity",
		Short: "Measure how well a model predicts a text",
		Long: `Perplexity reads a text in one pass from an empty state and tells the mean negative
log-likelihood, in nats, of every token but the first, and its exponential.

With --context it reads windows instead, as models with a limited context need.
With --stride as well the windows overlap, and each predicts only what is new in it.`,
		Example: `  mminfer perplexity -f demo/fable/held.txt
  mminfer perplexity -f demo/fable/held.txt --quant q8 --json
  mminfer perplexity -f demo/fable/held.txt --context 512 --stride 256`,
		Args: cobra.NoArgs,
	}
	p.model = newModelFlags(c)
	p.windows = newWindowFlags(c)
	c.Flags().BoolVar(&p.json, "json", false, "write JSON")
	return a.command(c, p.run)
}

func (p *perplexity) run(ctx context.Context, _ []string) error {
	text, err := p.windows.read(p.app)
	if err != nil {
		return err
	}
	e, err := p.open(ctx, p.model)
	if err != nil {
		return err
	}
	defer e.Close()
	ids, err := e.Tokenize(text, p.windows.special)
	if err != nil {
		return err
	}
	ids, windows, err := p.windows.cut(ids)
	if err != nil {
		return err
	}
	start := time.Now()
	nll, err := p.meanNLL(ctx, e, ids, windows)
	if err != nil {
		return err
	}
	return p.write(perplexed{
		modelName(p.model.dir), e.Info().Format, len(ids), predicted(windows), p.windows.context.value, p.windows.stride.value,
		nll, math.Exp(nll), time.Since(start).Seconds(),
	})
}

// meanNLL is the mean negative log-likelihood of the tokens that the windows predict.
func (p *perplexity) meanNLL(ctx context.Context, e *mminfer.Engine, ids []int32, windows []window) (float64, error) {
	bar := p.bar("reading the text", time.Second, tokensText)
	defer bar.done()
	var sum float64
	for _, w := range windows {
		err := e.Logits(ctx, ids[w.from:w.to], func(i int, logits []float32) error {
			if next := w.from + i + 1; next >= w.score && next < w.to {
				sum -= mminfer.LogProbOf(logits, ids[next])
			}
			bar.set(int64(w.from+i), int64(len(ids)))
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return sum / float64(predicted(windows)), nil
}

func (p *perplexity) write(r perplexed) error {
	if p.json {
		return writeJSON(p.out, r)
	}
	_, err := fmt.Fprintf(p.out, "tokens      %d, %d of them predicted\nmean nll    %.8f\nperplexity  %.6f\n", r.Tokens, r.Predicted, r.NLL, r.Perplexity)
	return err
}
