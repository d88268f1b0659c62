package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/mminfer/mminfer"
)

// feedPiece is the tokens fed between two looks at the progress.
const feedPiece = 512

// feed appends tokens to a session and absorbs all but the last, with a bar if that takes long.
func (a *app) feed(ctx context.Context, s *mminfer.Session, ids []int32, pictures ...*mminfer.Picture) error {
	bar := a.bar("reading the prompt", time.Second, tokensText)
	defer bar.done()
	if err := s.Append(ids, pictures...); err != nil {
		return err
	}
	for at, left := 0, 1; left > 0; at += feedPiece {
		bar.set(int64(at), int64(len(ids)))
		var err error
		if left, err = s.Absorb(ctx, feedPiece); err != nil {
			return err
		}
	}
	return nil
}

// reply is a continuation under way: what it has brought so far.
type reply struct {
	ids      []int32
	text     strings.Builder
	logProbs []float64
	top      [][]mminfer.LogProb
	stop     mminfer.StopReason

	prompt      int // tokens fed
	start       time.Time
	first, last time.Time // of its tokens
}

// startReply feeds the tokens of a prompt and starts the clock.
func (a *app) startReply(ctx context.Context, s *mminfer.Session, ids []int32, pictures ...*mminfer.Picture) (*reply, error) {
	r := &reply{prompt: len(ids), start: time.Now(), ids: []int32{}}
	return r, a.feed(ctx, s, ids, pictures...)
}

// run continues the session and shows its text on w as it comes, after the text before.
func (r *reply) run(ctx context.Context, s *mminfer.Session, opts mminfer.GenerateOptions, w io.Writer, before string) error {
	return r.show(s.Continue(ctx, opts), opts, w, before)
}

// show shows the text of tokens on w as they come, after the text before.
func (r *reply) show(tokens iter.Seq2[mminfer.Token, error], opts mminfer.GenerateOptions, w io.Writer, before string) error {
	for t, err := range tokens {
		if err == nil {
			r.add(t, opts)
		}
		if len(r.ids) > 0 {
			r.text.WriteString(t.Text)
			_, e := io.WriteString(w, before+t.Text)
			before = ""
			err = cmp.Or(err, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *reply) add(t mminfer.Token, opts mminfer.GenerateOptions) {
	r.last = time.Now()
	if len(r.ids) == 0 {
		r.first = r.last
	}
	r.ids = append(r.ids, t.ID)
	if opts.LogProbs {
		r.logProbs = append(r.logProbs, t.LogProb)
	}
	if opts.TopLogs > 0 {
		r.top = append(r.top, t.Top)
	}
	r.stop = t.Stop
}

// timings are seconds and rates. The prompt's time ends with the first token; the rate of
// generation is that of the tokens after it.
type timings struct {
	Load           float64 `json:"load_s"`
	PromptTokens   int     `json:"prompt_tokens"`
	Prompt         float64 `json:"prompt_s"`
	PromptRate     float64 `json:"prompt_tok_s"`
	Tokens         int     `json:"generated_tokens"`
	Generation     float64 `json:"generation_s"`
	GenerationRate float64 `json:"generation_tok_s"`
}

func (r *reply) timings() timings {
	t := timings{PromptTokens: r.prompt, Tokens: len(r.ids)}
	if len(r.ids) == 0 {
		return t
	}
	t.Prompt, t.Generation = r.first.Sub(r.start).Seconds(), r.last.Sub(r.first).Seconds()
	t.PromptRate = float64(r.prompt) / max(t.Prompt, 1e-9)
	t.GenerationRate = float64(len(r.ids)-1) / max(t.Generation, 1e-9)
	return t
}

func (t timings) String() string {
	return fmt.Sprintf("prompt: %d tokens in %.3f s (%.1f tok/s); generated: %d tokens in %.3f s (%.1f tok/s)",
		t.PromptTokens, t.Prompt, t.PromptRate, t.Tokens, t.Generation, t.GenerationRate)
}
