package mminfer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mminfer/mminfer/kernels/route"
	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tensor"
)

// Draft is a smaller model that guesses the next tokens, which the model then checks in one pass. The
// text is the same as without, greedy or sampled, to the last bit: a guess only saves time, and only if
// it is right often enough. It serves one generation at a time, and counts over all of them.
//
// Source: Leviathan et al. 2023, arXiv:2211.17192. There the model's choice is made to depend on the
// draft's; here a guess counts if it is the token that the model's own sampler draws.
type Draft struct {
	Engine *Engine // of the same vocabulary, such as what [Engine.Reshape] returns; it stays the caller's
	// Tokens is how many are guessed before a check. 0 is 4, and gives up for the rest of a generation
	// where guessing turns out slower than doing without: the first tokens are generated without, to compare.
	Tokens int

	Checks   int // passes of the model over guesses
	Guessed  int // tokens
	Accepted int // of those
	GaveUp   bool

	PlainTokens, DraftedTokens int           // that were generated without guesses and with
	PlainTime, DraftedTime     time.Duration // that it took
}

const (
	draftTokens = 4 // guesses before a check where Draft does not say
	draftPlain  = 6 // tokens without guesses, of which the first is not counted
	draftTrial  = 6 // checks before guessing is judged
)

// check refuses drafts that cannot guess.
func (d *Draft) check(s *Session) error {
	switch {
	case d.Engine == nil || d.Tokens < 0:
		return errors.New("mminfer: draft: expected an engine and a number of tokens of at least 0")
	case d.Engine == s.engine:
		return errors.New("mminfer: draft: the model cannot guess for itself")
	case d.Engine.model.Vocab != s.engine.model.Vocab:
		return fmt.Errorf("mminfer: draft: found a model of %d tokens, expected the %d of the model it guesses for", d.Engine.model.Vocab, s.engine.model.Vocab)
	}
	return nil
}

// drafting is the work of a generation with a draft.
type drafting struct {
	g       *generation
	d       *Draft
	s       *Session // of the draft
	ids     []int32  // the token to absorb and the guesses after it
	logits  tensor.Mat
	at      int // the row of logits that the next token is chosen from
	base    int // tokens of the timeline when the guesses were checked
	started time.Time
}

// ahead is what a state has absorbed beyond its timeline: guesses that may be wrong.
type ahead struct {
	before *models.State // nil for a state that can be truncated
}

// settle takes back what the state absorbed beyond position n of the timeline.
func (s *Session) settle(n int) {
	a := s.ahead
	if s.ahead = nil; a == nil || s.state.Pos() <= n {
		return
	}
	if !s.state.Truncate(n) {
		s.state.CopyFrom(a.before)
	}
}

// settled takes back all guesses: the last token of a timeline is not absorbed yet.
func (s *Session) settled() { s.settle(len(s.history) - 1) }

// newDrafting begins a generation with a draft.
func newDrafting(g *generation) (*drafting, error) {
	d := g.opts.Draft
	if err := d.check(g.s); err != nil {
		return nil, err
	}
	if d.GaveUp = false; g.s.draft == nil || g.s.draft.engine != d.Engine {
		g.s.draft = d.Engine.NewSession()
	}
	return &drafting{g: g, d: d, s: g.s.draft, started: time.Now()}, nil
}

// step returns the next token: the choice from the next row of logits that were computed with guesses,
// while those turn out right.
func (r *drafting) step(ctx context.Context) (Token, error) {
	s := r.g.s
	if s.ahead == nil || len(s.history) != r.base+r.at || r.at >= len(r.ids) {
		s.settled()
		guesses := r.guesses()
		if guesses == 0 {
			return r.plain(ctx)
		}
		if err := r.round(ctx, guesses); err != nil {
			return Token{}, err
		}
	}
	t, err := r.g.choose(r.logits.Row(r.at))
	if err != nil {
		s.settle(len(s.history))
		return t, err
	}
	r.d.DraftedTokens++
	r.at++
	right := r.at < len(r.ids) && t.ID == r.ids[r.at]
	if right {
		r.d.Accepted++
	}
	if !right || t.Stop != "" {
		s.settled()
	}
	return t, nil
}

// plain is a step without guesses.
func (r *drafting) plain(ctx context.Context) (Token, error) {
	start := time.Now()
	t, err := r.g.step(ctx)
	if r.g.n > 1 { // the first token reads the prompt
		r.d.PlainTime += time.Since(start)
		r.d.PlainTokens++
	}
	return t, err
}

// guesses is how many to make now.
func (r *drafting) guesses() int {
	d, n := r.d, r.d.Tokens
	if n == 0 {
		n = draftTokens
		if d.Checks >= draftTrial && d.DraftedTokens > 0 && d.PlainTokens > 0 && !d.GaveUp {
			d.GaveUp = d.DraftedTime*time.Duration(d.PlainTokens) > d.PlainTime*time.Duration(d.DraftedTokens)
		}
		if d.GaveUp || d.PlainTokens < draftPlain-1 {
			return 0
		}
	}
	if most := r.g.opts.MaxTokens; most > 0 {
		n = min(n, most-r.g.n-1)
	}
	return max(0, n)
}

// round guesses and checks.
func (r *drafting) round(ctx context.Context, guesses int) error {
	s := r.g.s
	if err := s.absorb(ctx, len(s.history)-1); err != nil {
		return err
	}
	start := time.Now()
	defer func() { r.d.DraftedTime += time.Since(start) }()
	if err := r.guess(ctx, guesses); err != nil {
		return err
	}
	a := new(ahead)
	if !s.engine.model.Truncates() {
		a.before = s.state.Clone()
	}
	seq := models.Seq{IDs: r.ids, State: s.state, Want: models.WantAll}
	err := s.engine.forward(seq, false, func(b *models.Batch) {
		if r.logits.Rows != b.Logits.Rows {
			r.logits = tensor.NewMat(b.Logits.Rows, b.Logits.Cols)
		}
		for i := range b.Logits.Rows {
			copy(r.logits.Row(i), b.Logits.Row(i))
		}
	})
	if err != nil {
		return err
	}
	s.ahead, r.at, r.base = a, 0, len(s.history)
	r.d.Checks++
	r.d.Guessed += len(r.ids) - 1
	return nil
}

// guess has the draft continue the timeline greedily.
func (r *drafting) guess(ctx context.Context, guesses int) error {
	s := r.g.s
	r.s.follow(s.history)
	if err := r.s.absorb(ctx, len(r.s.history)-1); err != nil {
		return err
	}
	r.ids = append(r.ids[:0], s.history[len(s.history)-1])
	for range guesses {
		var id int32
		seq := models.Seq{IDs: r.s.history[r.s.state.Pos():], State: r.s.state, Want: models.WantLast}
		if err := r.s.engine.forward(seq, false, func(b *models.Batch) { id = int32(route.ArgMax(b.Logits.Row(0))) }); err != nil {
			return err
		}
		r.ids, r.s.history = append(r.ids, id), append(r.s.history, id)
		if slices.Contains(r.g.ends(), id) {
			break
		}
	}
	return nil
}

// follow makes a draft's timeline that of the model. It keeps the state as far as they agree.
func (s *Session) follow(ids []int32) {
	n := 0
	for n < min(len(s.history), len(ids)-1) && s.history[n] == ids[n] {
		n++
	}
	if s.state.Pos() > n && !s.state.Truncate(n) {
		s.state = s.engine.model.NewState()
	}
	s.history = append(s.history[:0], ids...)
}
