package mminfer

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/constrain"
	"github.com/mminfer/mminfer/demo"
)

// openShapes opens a model with a choice of shapes.
func openShapes(t *testing.T) *Engine {
	t.Helper()
	const dir = "subnet/testdata/golden/amoeba_select/"
	e, err := Open(dir+"model", WithStrategy(dir+"dp_selection_strategy.npy"))
	if err != nil {
		t.Skip("the goldens are in the repository, not in a module download: ", err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// tokensOf continues a copy of a session.
func tokensOf(t *testing.T, s *Session, opts GenerateOptions) (tokens []Token) {
	t.Helper()
	for token, err := range s.Fork().Continue(t.Context(), opts) {
		if err != nil {
			t.Fatal(err)
		}
		tokens = append(tokens, token)
	}
	return tokens
}

// Every draft leaves the text as it is without one, greedy or sampled, for any number of guesses.
func TestDraft(t *testing.T) {
	e := openShapes(t)
	r := rand.New(rand.NewPCG(1, 2))
	guessed, accepted := 0, 0
	for _, shape := range []string{"7x0.875", "6x0.75", "4x1", "7x0.5"} {
		d, err := e.Reshape(shape)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		for prompt := range 12 {
			s := e.NewSession()
			s.Seed(uint64(prompt))
			ids := make([]int32, 1+r.IntN(80))
			for i := range ids {
				ids[i] = int32(r.IntN(61))
			}
			if err := s.Feed(t.Context(), ids); err != nil {
				t.Fatal(err)
			}
			opts := GenerateOptions{MaxTokens: 1 + r.IntN(40), IgnoreEOS: prompt%2 == 0, LogProbs: true}
			if prompt%3 == 2 {
				opts.Sampling = Sampling{Temperature: 0.7, TopP: 0.9, RepetitionPenalty: 1.2, FrequencyPenalty: 0.1}
			}
			want := tokensOf(t, s, opts)
			for _, n := range []int{1, 2, 7} {
				opts.Draft = &Draft{Engine: d, Tokens: n}
				if got := tokensOf(t, s, opts); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("shape %s, prompt %d, %d guesses: found %v, want %v", shape, prompt, n, got, want)
				}
				guessed, accepted = guessed+opts.Draft.Guessed, accepted+opts.Draft.Accepted
				if opts.Draft.DraftedTokens+opts.Draft.PlainTokens < len(want)-1 || opts.Draft.Accepted > opts.Draft.Guessed {
					t.Errorf("found counts %+v for %d tokens", opts.Draft, len(want))
				}
			}
			opts.Draft = nil
		}
	}
	if t.Logf("%d of %d guesses accepted", accepted, guessed); accepted == 0 || accepted == guessed {
		t.Errorf("found %d of %d guesses accepted, expected some", accepted, guessed)
	}
}

// openRecurrent opens the built-in model, which has recurrences: what they absorbed cannot be cut off.
func openRecurrent(t *testing.T) *Engine {
	t.Helper()
	e, err := OpenFS(demo.FS, demo.Fable)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// A draft that is always right, a recurrent model that cannot be cut, stop texts and constraints.
func TestDraftOfRecurrences(t *testing.T) {
	e, d := openRecurrent(t), openRecurrent(t)
	grammar, err := constrain.Regexp(` [a-z ]{10,30}\.`)
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.Constrain(grammar)
	if err != nil {
		t.Fatal(err)
	}
	for _, opts := range []GenerateOptions{
		{MaxTokens: 24}, {MaxTokens: 24, Sampling: Sampling{Temperature: 1}}, {MaxTokens: 60, Stop: []string{"the"}}, {MaxTokens: 40, Constraint: c},
	} {
		s := e.NewSession()
		if err := s.FeedText(t.Context(), "Once upon a time"); err != nil {
			t.Fatal(err)
		}
		want := tokensOf(t, s, opts)
		for _, n := range []int{1, 4} {
			opts.Draft = &Draft{Engine: d, Tokens: n}
			if got := tokensOf(t, s, opts); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%d guesses: found %v, want %v", n, got, want)
			}
			if opts.Sampling.Temperature == 0 && opts.Constraint == nil && opts.Stop == nil && opts.Draft.Accepted != opts.Draft.Guessed {
				t.Errorf("found %d of %d guesses accepted of the same model", opts.Draft.Accepted, opts.Draft.Guessed)
			}
		}
	}
}

// In the midst of guesses a session is what it is without: left there, forked, saved, marked, fed.
func TestDraftMidst(t *testing.T) {
	shapes, fable := openShapes(t), openRecurrent(t)
	small, err := shapes.Reshape("6x0.875")
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	for _, c := range []struct{ e, d *Engine }{{shapes, small}, {fable, openRecurrent(t)}} {
		s := c.e.NewSession()
		if err := s.Feed(t.Context(), []int32{5, 9, 17, 3, 21}); err != nil {
			t.Fatal(err)
		}
		opts := GenerateOptions{MaxTokens: 16, IgnoreEOS: true, Sampling: Sampling{Temperature: 0.5}}
		saved := func(s *Session) string { // what it is once it has caught up
			if s.engine == fable {
				s = s.Fork()
				if _, err := s.Absorb(t.Context(), 100); err != nil {
					t.Fatal(err)
				}
			}
			var b bytes.Buffer
			if err := s.Save(&b); err != nil {
				t.Fatal(err)
			}
			return b.String()
		}
		for stop := 1; stop < 10; stop++ {
			run := func(d *Draft, in func(s *Session)) *Session {
				f, n := s.Fork(), 0
				opts.Draft = d
				for _, err := range f.Continue(t.Context(), opts) {
					if err != nil {
						t.Fatal(err)
					}
					if n++; n == stop {
						in(f)
						break
					}
				}
				return f
			}
			var want, got, fork, mark string
			run(nil, func(f *Session) { want = saved(f) })
			left := run(&Draft{Engine: c.d, Tokens: 5}, func(f *Session) { got, fork = saved(f), saved(f.Fork()) })
			marked := run(&Draft{Engine: c.d, Tokens: 5}, func(f *Session) {
				m := f.Mark()
				if err := f.Feed(context.Background(), []int32{1, 2}); err != nil {
					t.Fatal(err)
				}
				if err := f.Rewind(m); err != nil {
					t.Fatal(err)
				}
				mark = saved(f)
			})
			if got != want || fork != want || mark != want || saved(left) != want || saved(marked) != want {
				t.Fatalf("after %d tokens: found %v %v %v %v %v", stop, got == want, fork == want, mark == want, saved(left) == want, saved(marked) == want)
			}
		}
	}
}

// A draft is used again in later calls, and one that does not pay is given up with the same text.
func TestDraftGivesUp(t *testing.T) {
	e := openShapes(t)
	d, err := e.Reshape("7x1") // as slow as the model
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	s := e.NewSession()
	if err := s.Feed(t.Context(), []int32{5, 9, 17}); err != nil {
		t.Fatal(err)
	}
	opts := GenerateOptions{MaxTokens: 100, IgnoreEOS: true}
	want := tokensOf(t, s, opts)
	opts.Draft = &Draft{Engine: d}
	got := tokensOf(t, s, opts)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", got, want)
	}
	if p := opts.Draft; p.PlainTokens < draftPlain-1 || p.Checks < draftTrial || p.PlainTokens+p.DraftedTokens != len(want)-1 {
		t.Errorf("found %+v", p)
	}
	opts = GenerateOptions{MaxTokens: 7, IgnoreEOS: true, Draft: &Draft{Engine: d, Tokens: 3}}
	var ids []int32
	for range 3 {
		for token, err := range s.Continue(t.Context(), opts) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, token.ID)
		}
	}
	if !slices.EqualFunc(ids, want[:21], func(id int32, t Token) bool { return id == t.ID }) {
		t.Errorf("in three calls: found %v, want %v", ids, want[:21])
	}
}

func TestDraftRefuses(t *testing.T) {
	e, fable := openShapes(t), openRecurrent(t)
	s := e.NewSession()
	if err := s.Feed(t.Context(), []int32{5}); err != nil {
		t.Fatal(err)
	}
	for want, d := range map[string]*Draft{"expected an engine": {}, "cannot guess for itself": {Engine: e}, "a model of 4096 tokens": {Engine: fable}} {
		for _, err := range s.Continue(t.Context(), GenerateOptions{MaxTokens: 3, Draft: d}) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("found %v, want %q", err, want)
			}
		}
	}
	for _, err := range e.Together(t.Context(), []Continuation{{s, GenerateOptions{Draft: &Draft{Engine: fable}}}}) {
		if err == nil || !strings.Contains(err.Error(), "a session alone") {
			t.Errorf("found %v, want that several sessions have no draft", err)
		}
	}
}
