package mminfer

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/mminfer/mminfer/models"
)

// Continuation is one session's part in [Engine.Together].
type Continuation struct {
	Session *Session // in no other part of the call
	Options GenerateOptions
}

// BatchToken is a token of one of the sessions of [Engine.Together].
type BatchToken struct {
	Index int // of the session
	Token
}

// Together continues several sessions at once: every step computes one token of each in a single
// pass over the weights, which is several times faster than one session after the other and gives
// the same bits. Tokens come in the order of the sessions, step by step; a session that has
// stopped drops out. An error ends all of them, after the tokens of its step. When the loop stops
// within a step, the sessions whose token was still to come hold it already: see
// [Session.Tokens].
func (e *Engine) Together(ctx context.Context, sessions []Continuation) iter.Seq2[BatchToken, error] {
	return func(yield func(BatchToken, error) bool) {
		t, err := e.newTogether(ctx, sessions)
		for err == nil && len(t.live) > 0 {
			var tokens []BatchToken
			tokens, err = t.step(ctx)
			for _, token := range tokens {
				if !yield(token, nil) {
					return
				}
			}
		}
		if err != nil {
			yield(BatchToken{}, err)
		}
	}
}

// together is the work of one call.
type together struct {
	e      *Engine
	all    []*generation
	live   []int // indices of those that go on
	tokens []BatchToken
}

func (e *Engine) newTogether(ctx context.Context, sessions []Continuation) (*together, error) {
	t := &together{e: e}
	seen := map[*Session]bool{}
	for i, c := range sessions {
		if seen[c.Session] || c.Session.engine != e {
			return t, fmt.Errorf("mminfer: session %d is given twice or belongs to another engine", i)
		}
		if c.Options.Draft != nil {
			return t, fmt.Errorf("mminfer: session %d: a draft guesses for a session alone", i)
		}
		seen[c.Session] = true
		g, err := newGeneration(c.Session, c.Options)
		if err != nil {
			return t, err
		}
		t.all, t.live = append(t.all, g), append(t.live, i)
	}
	for _, g := range t.all {
		if err := g.s.absorb(ctx, len(g.s.history)-1); err != nil {
			return t, err
		}
	}
	return t, nil
}

// step computes one token of every live session: all that could be chosen, and the errors of the
// others.
func (t *together) step(ctx context.Context) (tokens []BatchToken, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := t.e.begin()
	if err != nil {
		return nil, err
	}
	defer t.e.end(w)
	w.batch.Seqs = w.batch.Seqs[:0]
	for _, i := range t.live {
		s := t.all[i].s
		w.batch.Seqs = append(w.batch.Seqs, s.seq(len(s.history), models.WantLast))
	}
	if err := t.e.model.Forward(&w.batch, &w.ws); err != nil {
		return nil, err
	}
	t.tokens = t.tokens[:0]
	live := t.live[:0]
	for n, i := range t.live {
		token, failed := t.all[i].choose(w.batch.Logits.Row(n))
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("session %d: %w", i, failed))
			continue
		}
		t.tokens = append(t.tokens, BatchToken{i, token})
		if token.Stop == "" {
			live = append(live, i)
		}
	}
	t.live = live
	return t.tokens, err
}
