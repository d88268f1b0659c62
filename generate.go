package mminfer

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tokenizer"
)

// GenerateOptions say how to continue a text. The zero value is greedy, until the model ends the
// text.
type GenerateOptions struct {
	MaxTokens int // 0: until the model ends the text or the context ends
	Sampling  Sampling
	Stop      []string // texts that end the generation; they are not part of the output
	IgnoreEOS bool     // do not stop at an end-of-text token
	LogProbs  bool     // fill Token.LogProb
	TopLogs   int      // fill Token.Top with so many tokens

	// Constraint holds the text to a grammar, from [Engine.Constrain]; nil is none. The text ends
	// only where it is complete: with an end-of-text token, or with [StopComplete]. It is complete
	// within MaxTokens too, if that is at least the bytes of the grammar's shortest text and every
	// byte is a token. A text that MaxTokens or the caller cut short goes on in the next call with
	// the same constraint and no text in between; forks and marks remember how far it had come,
	// stored sessions do not.
	Constraint *Constraint

	// Draft guesses tokens, which changes the speed and nothing else; nil is none. [Engine.Together]
	// does not take it.
	Draft *Draft
}

// StopReason says why a generation ended.
type StopReason string

// The reasons.
const (
	StopLength StopReason = "length" // MaxTokens were generated
	StopEOS    StopReason = "eos"    // the model ended the text
	StopText   StopReason = "stop"   // a stop string was met

	// StopComplete: the constraint's text is complete, nothing can follow, and the model has no
	// end-of-text token, or it is ignored.
	StopComplete StopReason = "complete"
)

// Token is one generated token.
type Token struct {
	ID   int32
	Text string // the text that can be shown now: nothing while a character or a stop string may be incomplete

	LogProb float64   // ln of the probability in the model's own distribution, before penalties and temperature
	Top     []LogProb // the most probable tokens

	Stop StopReason // of the last token
}

// check refuses options without meaning.
func (o *GenerateOptions) check(vocab int) error {
	if o.MaxTokens < 0 {
		return fmt.Errorf("mminfer: max tokens: found %d, expected at least 0", o.MaxTokens)
	}
	if o.TopLogs < 0 {
		return fmt.Errorf("mminfer: top log-probabilities: found %d, expected at least 0", o.TopLogs)
	}
	return o.Sampling.check(vocab)
}

// mmMamba is the model_type of models whose released code has a loop of its own: it takes the most
// probable token unless top_k is given, even with do_sample, and filters as mamba_ssm does.
const mmMamba = "mmMamba_chat"

// Defaults returns the options that the checkpoint's generation_config.json asks for, as the model's
// own code understands it.
func (e *Engine) Defaults() GenerateOptions {
	g := &e.generation
	var o GenerateOptions
	if g.MaxTokens != nil {
		o.MaxTokens = *g.MaxTokens
	}
	set(&o.Sampling.RepetitionPenalty, g.Repetition)
	draws := g.DoSample
	if e.model.Type == mmMamba {
		o.Sampling.Order = OrderMamba
		draws = draws && g.TopK != nil
	}
	if draws {
		o.Sampling.Temperature = 1
		set(&o.Sampling.Temperature, g.Temperature)
		set(&o.Sampling.TopK, g.TopK)
		set(&o.Sampling.TopP, g.TopP)
		set(&o.Sampling.MinP, g.MinP)
		set(&o.Sampling.Typical, g.Typical)
	}
	return o
}

// set assigns what p points to, if anything.
func set[T any](dst *T, p *T) {
	if p != nil {
		*dst = *p
	}
}

// Seed restarts the session's random generator. A new session has seed 0; a session that was
// forked or restored continues its generator.
func (s *Session) Seed(seed uint64) { s.sampler.rng.Seed(seed, 0x9e3779b97f4a7c15) }

// Generate appends the prompt, which may be empty, and yields what the model continues it with,
// token by token. Stopping the loop, or ctx ending, leaves the session at the last token yielded.
// An error is yielded once, last, with the text that was held back until then.
func (s *Session) Generate(ctx context.Context, prompt string, opts GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		if err := opts.check(s.engine.model.Vocab); err != nil {
			yield(Token{}, err)
			return
		}
		if prompt != "" {
			ids, err := s.Encode(prompt)
			if err != nil {
				yield(Token{}, err)
				return
			}
			s.settled()
			s.history = append(s.history, ids...)
		}
		for t, err := range s.Continue(ctx, opts) {
			if !yield(t, err) {
				return
			}
		}
	}
}

// Continue yields what the model continues the timeline with. It works without a tokenizer; the
// tokens then have no text.
func (s *Session) Continue(ctx context.Context, opts GenerateOptions) iter.Seq2[Token, error] {
	return func(yield func(Token, error) bool) {
		g, err := newGeneration(s, opts)
		if err != nil {
			yield(Token{}, err)
			return
		}
		step := g.step
		if opts.Draft != nil {
			d, err := newDrafting(g)
			if err != nil {
				yield(Token{}, err)
				return
			}
			defer s.settled()
			step = d.step
		}
		for {
			t, err := step(ctx)
			if err != nil {
				t.Text = g.rest()
			}
			if !yield(t, err) || err != nil || t.Stop != "" {
				return
			}
		}
	}
}

// generation is the continuation of one session.
type generation struct {
	s      *Session
	opts   GenerateOptions
	stream *tokenizer.Stream // nil without a tokenizer
	stop   stopper
	n      int       // tokens generated
	masked []float32 // logits under a constraint, [vocab]
}

func newGeneration(s *Session, opts GenerateOptions) (*generation, error) {
	if err := opts.check(s.engine.model.Vocab); err != nil {
		return nil, err
	}
	s.settled()
	if s.state.Pos() == len(s.history) { // also after a token could not be chosen
		return nil, ErrNothingFed
	}
	g := &generation{s: s, opts: opts}
	if s.engine.tokenizer != nil {
		if g.stream = s.engine.tokenizer.Stream(true); opts.Constraint != nil {
			g.stream.Verbatim()
		}
	}
	for _, stop := range opts.Stop {
		if stop != "" {
			g.stop.stops = append(g.stop.stops, stop)
		}
	}
	return g, g.constrain()
}

// step absorbs what is pending and chooses the next token.
func (g *generation) step(ctx context.Context) (t Token, err error) {
	s := g.s
	if err := s.absorb(ctx, len(s.history)-1); err != nil {
		return t, err
	}
	if err := ctx.Err(); err != nil {
		return t, err
	}
	var chosen error
	err = s.engine.forward(s.seq(len(s.history), models.WantLast), false, func(b *models.Batch) { t, chosen = g.choose(b.Logits.Row(0)) })
	if err != nil {
		return t, err
	}
	return t, chosen
}

// choose picks a token from the logits, appends it to the timeline and makes its text.
func (g *generation) choose(logits []float32) (t Token, err error) {
	s := g.s
	if t.ID, err = g.next(logits); err != nil {
		return t, err
	}
	if g.opts.LogProbs || g.opts.TopLogs > 0 {
		g.logProbs(&t, logits)
	}
	s.history = append(s.history, t.ID)
	g.n++
	if g.stream != nil {
		text, err := g.stream.Next(t.ID)
		if err != nil {
			return t, err
		}
		shown, stopped := g.stop.push(string(text))
		t.Text = shown
		if stopped {
			t.Stop = StopText
		}
	}
	switch {
	case t.Stop != "":
	case slices.Contains(g.ends(), t.ID):
		t.Stop = StopEOS
	case g.complete():
		t.Stop = StopComplete
	case g.opts.MaxTokens > 0 && g.n >= g.opts.MaxTokens:
		t.Stop = StopLength
	}
	if t.Stop != "" && t.Stop != StopText {
		t.Text += g.rest()
	}
	return t, nil
}

// rest returns the text held back, at the end of the generation.
func (g *generation) rest() string {
	if g.stream == nil {
		return ""
	}
	text, stopped := g.stop.push(string(g.stream.Flush()))
	if !stopped {
		text += g.stop.flush()
	}
	return text
}

// logProbs fills the probabilities of a token.
func (g *generation) logProbs(t *Token, logits []float32) {
	total := logSumExp(logits)
	t.LogProb = float64(logits[t.ID]) - total
	t.Top = topLogProbs(logits, g.opts.TopLogs, total)
	if g.stream == nil {
		return
	}
	for i := range t.Top {
		t.Top[i].Text, _ = g.s.engine.tokenizer.TokenBytes(t.Top[i].ID)
	}
}
