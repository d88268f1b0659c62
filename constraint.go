package mminfer

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/mminfer/mminfer/constrain"
	"github.com/mminfer/mminfer/kernels/vec"
)

// Constraint holds generated texts to a grammar: see [GenerateOptions]. It is safe for concurrent
// use by any number of sessions of its engine, and best kept: what it learns about the grammar
// makes later texts cheaper.
type Constraint struct {
	engine  *Engine
	matcher *constrain.Matcher
}

// ErrStuck: the vocabulary has no token for what a constraint asks for next. The session stays
// where it is.
var ErrStuck = errors.New("mminfer: no token of the vocabulary begins what the constraint asks for next; choose a grammar of characters that the tokenizer knows")

// Constrain binds a grammar to the engine's vocabulary. Special tokens and end-of-text tokens are
// never part of a constrained text, whatever their spelling.
func (e *Engine) Constrain(g *constrain.Grammar) (*Constraint, error) {
	if e.tokenizer == nil {
		return nil, ErrNoTokenizer
	}
	return &Constraint{e, g.Matcher(e.vocabulary.of(e))}, nil
}

// vocabulary is made when the first constraint asks for it.
type vocabulary struct {
	once   sync.Once
	tokens *constrain.Vocabulary
}

func (v *vocabulary) of(e *Engine) *constrain.Vocabulary {
	v.once.Do(func() {
		tokens := make([]string, e.tokenizer.VocabSize())
		for i := range tokens {
			id := int32(i)
			if !e.tokenizer.IsSpecial(id) && !slices.Contains(e.generation.EOS, id) {
				tokens[i], _ = e.tokenizer.TokenBytes(id)
			}
		}
		v.tokens = constrain.NewVocabulary(tokens)
	})
	return v.tokens
}

// progress is how far a session has come in a constrained text. A text goes on where the session
// still ends with it.
type progress struct {
	constraint *Constraint // nil outside a text
	state      constrain.State
	end        int // tokens of the timeline
}

// constrain begins a text, or goes on with one that was interrupted.
func (g *generation) constrain() error {
	c, p := g.opts.Constraint, &g.s.progress
	if c == nil {
		return nil
	}
	if c.engine != g.s.engine {
		return errors.New("mminfer: the constraint belongs to another engine; bind the grammar with the Constrain method of this one")
	}
	if p.constraint != c || p.end != len(g.s.history) {
		*p = progress{c, c.matcher.Start(), len(g.s.history)}
	}
	return nil
}

// next chooses a token. Under a constraint only those with which the text can go on, or end, have
// a logit; the stages of sampling follow, as for any logits. Where MaxTokens leaves just enough
// tokens to complete the text, one for each byte, so do only those that keep it so.
func (g *generation) next(logits []float32) (int32, error) {
	s, c := g.s, g.opts.Constraint
	if top := vec.Max(logits); c == nil || top != top {
		return s.sampler.next(logits, s.history, &g.opts.Sampling)
	}
	mask, err := c.matcher.Mask(s.progress.state)
	if err != nil {
		return 0, err
	}
	id, to, err := g.among(mask, logits)
	if err != nil {
		return 0, err
	}
	left := g.opts.MaxTokens - g.n
	if g.opts.MaxTokens > 0 && to.constraint != nil && to.state.Remaining() >= left && s.progress.state.Remaining() <= left {
		if mask, err = c.matcher.MaskWithin(s.progress.state, left-1); err != nil {
			return 0, err
		}
		if mask.Count() > 0 {
			if id, to, err = g.among(mask, logits); err != nil {
				return 0, err
			}
		}
	}
	s.progress = to
	return id, nil
}

// among chooses a token of the mask, or the end of the text where it may end, and returns the
// progress that makes.
func (g *generation) among(mask *constrain.Mask, logits []float32) (id int32, to progress, err error) {
	s, p := g.s, g.s.progress
	g.masked = slices.Grow(g.masked[:0], len(logits))[:len(logits)]
	mask.Apply(g.masked, logits)
	ends := g.ends()
	if p.state.Complete() {
		for _, id := range ends {
			g.masked[id] = logits[id]
		}
	}
	if mask.Count() == 0 && !(p.state.Complete() && len(ends) > 0) {
		return 0, p, fmt.Errorf("%w (at token %d)", ErrStuck, len(s.history))
	}
	if id, err = s.sampler.next(g.masked, s.history, &g.opts.Sampling); err != nil || slices.Contains(ends, id) {
		return id, progress{}, err
	}
	state, ok := p.constraint.matcher.Token(p.state, id)
	if !ok {
		return 0, p, fmt.Errorf("mminfer: token %d was chosen and the constraint excludes it", id)
	}
	return id, progress{p.constraint, state, len(s.history) + 1}, nil
}

// ends returns the tokens that end a text.
func (g *generation) ends() []int32 {
	if g.opts.IgnoreEOS {
		return nil
	}
	return g.s.engine.generation.EOS
}

// complete reports whether the constrained text is at its end and no end-of-text token can say so.
func (g *generation) complete() bool {
	p := &g.s.progress
	if g.opts.Constraint == nil || p.constraint == nil || !p.state.Complete() || len(g.ends()) > 0 {
		return false
	}
	mask, err := p.constraint.matcher.Mask(p.state)
	if err != nil || mask.Count() > 0 {
		return false
	}
	*p = progress{}
	return true
}
