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
	model         *modelFlags
	file          string
	tokens        whole
	special, json bool
}

// perplexed is what it writes.
type perplexed struct {
	Model      string  `json:"model"`
	Quant      string  `json:"quant"`
	Tokens     int     `json:"tokens"`
	Predicted  int     `json:"predicted"`
	NLL        float64 `json:"mean_nll"` // nats a token
	Perplexity float64 `json:"perplexity"`
	Seconds    float64 `json:"seconds"`
}

func (a *app) perplexityCommand() *cobra.Command {
	p := &perplexity{app: a, tokens: whole{max: math.MaxInt32}}
	c := &cobra.Command{
		Use:   "perplexity",
		Short: "Measure how well a model predicts a text",
		Long: `Perplexity reads a text in one pass from an empty state and tells the mean negative
log-likelihood, in nats, of every token but the first, and its exponential.`,
		Example: `  mminfer perplexity -f demo/fable/held.txt
  mminfer perplexity -f demo/fable/held.txt --quant q8 --json`,
		Args: cobra.NoArgs,
	}
	p.model = newModelFlags(c)
	c.Flags().StringVarP(&p.file, "file", "f", "", "the text, - for standard input")
	c.Flags().VarP(&p.tokens, "tokens", "n", "use the first n tokens only, 0 for all")
	c.Flags().BoolVar(&p.special, "special", false, "recognise control tokens in the text and add what the tokenizer puts around one")
	c.Flags().BoolVar(&p.json, "json", false, "write JSON")
	return a.command(c, p.run)
}

func (p *perplexity) run(ctx context.Context, _ []string) error {
	text, found, err := p.readText(nil, p.file)
	if err != nil {
		return err
	}
	if !found {
		return usagef("there is no text: give it with -f FILE or on standard input")
	}
	e, err := p.open(ctx, p.model)
	if err != nil {
		return err
	}
	defer e.Close()
	ids, err := e.Tokenize(text, p.special)
	if err != nil {
		return err
	}
	if n := p.tokens.value; n > 0 && n < len(ids) {
		ids = ids[:n]
	}
	if len(ids) < 2 {
		return fmt.Errorf("the text has %d tokens; at least 2 are needed", len(ids))
	}
	start := time.Now()
	nll, err := p.meanNLL(ctx, e, ids)
	if err != nil {
		return err
	}
	return p.write(perplexed{modelName(p.model.dir), e.Info().Format, len(ids), len(ids) - 1, nll, math.Exp(nll), time.Since(start).Seconds()})
}

// meanNLL is the mean negative log-likelihood of all tokens but the first.
func (p *perplexity) meanNLL(ctx context.Context, e *mminfer.Engine, ids []int32) (float64, error) {
	bar := p.bar("reading the text", time.Second, tokensText)
	defer bar.done()
	var sum float64
	err := e.Logits(ctx, ids, func(i int, logits []float32) error {
		if i+1 < len(ids) {
			sum -= mminfer.LogProbOf(logits, ids[i+1])
		}
		bar.set(int64(i), int64(len(ids)))
		return nil
	})
	return sum / float64(len(ids)-1), err
}

func (p *perplexity) write(r perplexed) error {
	if p.json {
		return writeJSON(p.out, r)
	}
	_, err := fmt.Fprintf(p.out, "tokens      %d, %d of them predicted\nmean nll    %.8f\nperplexity  %.6f\n", r.Tokens, r.Predicted, r.NLL, r.Perplexity)
	return err
}
