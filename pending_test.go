package mminfer

import (
	"bytes"
	"testing"

	"github.com/mminfer/mminfer/demo"
)

// TestPending: whatever was done to a session, all but its last token are absorbed, so that its
// next token costs one pass over one token.
func TestPending(t *testing.T) {
	e, err := OpenFS(demo.FS, demo.Fable, WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	check := func(what string, s *Session) {
		t.Helper()
		if s.state.Pos() != s.Len()-1 {
			t.Errorf("%s: %d tokens absorbed of %d", what, s.state.Pos(), s.Len())
		}
	}
	s := e.NewSession()
	if err := s.FeedText(t.Context(), "Once upon a time there was"); err != nil {
		t.Fatal(err)
	}
	check("fed", s)
	mark := s.Mark()
	for _, err := range s.Continue(t.Context(), GenerateOptions{MaxTokens: 5}) {
		if err != nil {
			t.Fatal(err)
		}
		check("at a token", s)
	}
	check("forked", s.Fork())
	var b bytes.Buffer
	if err := s.Save(&b); err != nil {
		t.Fatal(err)
	}
	loaded, err := e.Load(&b)
	if err != nil {
		t.Fatal(err)
	}
	check("loaded", loaded)
	if err := loaded.Rewind(mark); err != nil {
		t.Fatal(err)
	}
	check("rewound", loaded)
	if err := loaded.Feed(t.Context(), []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	check("fed again", loaded)
}
