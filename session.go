package mminfer

import (
	"context"
	"errors"
	"fmt"

	"github.com/mminfer/mminfer/models"
	"github.com/mminfer/mminfer/tokenizer"
)

// Session is one timeline of tokens. It is not safe for concurrent use; forks are sessions of
// their own.
type Session struct {
	engine  *Engine
	state   *models.State
	history []int32 // every token of the timeline; those from state.Pos() on are not absorbed yet
	sampler sampler

	// pictures are those of the timeline, in order. The rows of what is not absorbed are at hand.
	pictures []placed

	progress progress

	ahead *ahead   // nil unless the state has absorbed guesses beyond the timeline
	draft *Session // of the model that guessed last, nil for none
}

// prefillChunk is the number of tokens absorbed at a time: the context is looked at in between,
// and scratch memory stays bounded.
const prefillChunk = 512

// NewSession returns an empty timeline.
func (e *Engine) NewSession() *Session {
	s := &Session{engine: e, state: e.model.NewState()}
	s.Seed(0)
	return s
}

// Len returns the number of tokens of the timeline.
func (s *Session) Len() int { return len(s.history) }

// Tokens returns the timeline's tokens. The slice must not be modified.
func (s *Session) Tokens() []int32 { return s.history }

// Bytes returns the memory of the session's state.
func (s *Session) Bytes() int64 { return s.state.Bytes() }

// Feed appends ids to the timeline, with pictures as [Session.Append] does, and absorbs all but the
// last of them, which is absorbed together with what follows. When ctx ends it stops between two
// pieces of the prompt; the rest is absorbed by the next call.
func (s *Session) Feed(ctx context.Context, ids []int32, pictures ...*Picture) error {
	if err := s.Append(ids, pictures...); err != nil {
		return err
	}
	return s.absorb(ctx, len(s.history)-1)
}

// Append appends ids to the timeline without absorbing any: [Session.Absorb] does that in pieces, or
// whatever comes next does. Pictures stand at the tokens that the model's configuration sets aside
// for them: each takes as many, side by side, as it has rows, in the order of the ids, and none may
// be left over. Without pictures such tokens are like any other. On an error nothing has changed.
func (s *Session) Append(ids []int32, pictures ...*Picture) error {
	if err := s.engine.checkIDs(ids); err != nil {
		return err
	}
	list, err := s.engine.place(len(s.history), ids, pictures)
	if err != nil {
		return err
	}
	s.settled()
	s.history, s.pictures = append(s.history, ids...), append(s.pictures, list...)
	return nil
}

// Absorb absorbs up to so many tokens of the timeline, of which the last one is absorbed together
// with what follows. It returns how many are left to absorb.
func (s *Session) Absorb(ctx context.Context, tokens int) (left int, err error) {
	s.settled()
	end := len(s.history) - 1
	err = s.absorb(ctx, min(s.state.Pos()+tokens, end))
	return max(0, end-s.state.Pos()), err
}

// FeedPicture appends a picture between the tokens that begin and end one: see [Session.Feed].
func (s *Session) FeedPicture(ctx context.Context, p *Picture) error {
	ids, err := s.engine.pictureIDs(p)
	if err != nil {
		return err
	}
	return s.Feed(ctx, ids, p)
}

// FeedText appends a text: see [Session.Feed] and [Engine.Tokenize]. What the tokenizer puts
// around a text is added only at the start of the timeline.
func (s *Session) FeedText(ctx context.Context, text string) error {
	ids, err := s.Encode(text)
	if err != nil {
		return err
	}
	return s.Feed(ctx, ids)
}

// Encode returns the ids that [Session.FeedText] would append for a text: control tokens written
// in it are recognised.
func (s *Session) Encode(text string) ([]int32, error) {
	if s.engine.tokenizer == nil {
		return nil, ErrNoTokenizer
	}
	opts := tokenizer.EncodeOptions{AddSpecial: len(s.history) == 0, Recognize: tokenizer.RecognizeAll}
	return s.engine.tokenizer.Encode(nil, text, opts), nil
}

// checkIDs refuses ids outside the vocabulary.
func (e *Engine) checkIDs(ids []int32) error {
	for i, id := range ids {
		if id < 0 || int(id) >= e.model.Vocab {
			return fmt.Errorf("mminfer: token %d is %d, expected 0 to %d", i, id, e.model.Vocab-1)
		}
	}
	return nil
}

// absorb brings the state to position to, in pieces.
func (s *Session) absorb(ctx context.Context, to int) error {
	for s.state.Pos() < to {
		if err := ctx.Err(); err != nil {
			return err
		}
		end := min(s.state.Pos()+prefillChunk, to)
		if err := s.engine.forward(s.seq(end, models.WantNone), true, func(*models.Batch) {}); err != nil {
			return err
		}
	}
	return nil
}

// Fork returns an independent copy of the timeline, its generator of random numbers included.
func (s *Session) Fork() *Session {
	s.settled()
	f := *s
	f.draft = nil
	f.state = s.state.Clone()
	f.history = append([]int32(nil), s.history...)
	f.pictures = s.pictures[:len(s.pictures):len(s.pictures)]
	f.sampler = s.sampler.clone()
	return &f
}

// Mark is a point of a timeline to return to.
type Mark struct {
	engine   *Engine
	state    *models.State
	history  []int32
	pictures []placed
	sampler  sampler

	progress progress
}

// Mark remembers the present point. It holds a copy of the state.
func (s *Session) Mark() *Mark {
	s.settled()
	// Ids are only ever appended, so the mark can share them; what is appended after a rewind
	// goes elsewhere, because their capacity ends here.
	ids, pictures := s.history[:len(s.history):len(s.history)], s.pictures[:len(s.pictures):len(s.pictures)]
	return &Mark{s.engine, s.state.Clone(), ids, pictures, s.sampler.clone(), s.progress}
}

// Rewind returns to a mark, which stays usable: of this timeline, of one that it was forked from,
// or of any other of the same engine. The tokens, the state and the generator of random numbers
// are then those of the mark. The error tells a mark of another engine.
func (s *Session) Rewind(m *Mark) error {
	if m.engine != s.engine {
		return errors.New("mminfer: the mark belongs to another engine")
	}
	s.ahead = nil
	s.state.CopyFrom(m.state)
	s.history, s.pictures = m.history, m.pictures
	s.sampler = m.sampler.clone()
	s.progress = m.progress
	return nil
}
