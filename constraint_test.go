package mminfer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mminfer/mminfer"
	"github.com/mminfer/mminfer/constrain"
	"github.com/mminfer/mminfer/demo"
)

const kingSchema = `{"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 1, "maximum": 99},
	"sons": {"type": "array", "items": {"enum": ["Hans", "Peter", "Pál"]}, "minItems": 1}}, "required": ["name", "age", "sons"], "additionalProperties": false}`

// bound compiles a schema for an engine.
func bound(t testing.TB, e *mminfer.Engine, schema string) *mminfer.Constraint {
	t.Helper()
	g, err := constrain.JSONSchema([]byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	c, err := e.Constrain(g)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// checkKing tells whether a text satisfies kingSchema.
func checkKing(text string) error {
	var king struct {
		Name *string
		Age  int
		Sons []string
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&king); err != nil {
		return fmt.Errorf("%q: %w", text, err)
	}
	known := func(name string) bool { return slices.Contains([]string{"Hans", "Peter", "Pál"}, name) }
	if king.Name == nil || king.Age < 1 || king.Age > 99 || len(king.Sons) == 0 || !known(king.Sons[0]) || !known(king.Sons[len(king.Sons)-1]) {
		return fmt.Errorf("%q does not satisfy the schema", text)
	}
	return nil
}

// TestConstraintHolds draws texts of several lengths: all are complete and valid.
func TestConstraintHolds(t *testing.T) {
	e := fable(t)
	c := bound(t, e, kingSchema)
	for seed := range uint64(4) {
		for _, n := range []int{45, 80, 0} {
			s := e.NewSession()
			s.Seed(seed)
			opts := drawn(n)
			opts.Constraint = c
			if n == 0 {
				opts.MaxTokens, opts.IgnoreEOS = 150, false
			}
			tokens := collect(t, s.Generate(context.Background(), "The king as JSON: ", opts))
			if err := checkKing(textOf(tokens)); err != nil {
				t.Errorf("seed %d, %d tokens: %v", seed, n, err)
			}
			for _, token := range tokens[:len(tokens)-1] {
				if token.ID < 3 {
					t.Errorf("special token %d within %q", token.ID, textOf(tokens))
				}
			}
			if last := tokens[len(tokens)-1]; last.Stop == mminfer.StopEOS && last.ID != 0 {
				t.Errorf("the text ended with token %d", last.ID)
			}
		}
	}
}

// TestConstraintGoesOn cuts a text at every token, by MaxTokens, a mark and a fork: what is
// generated in pieces is what is generated at once.
func TestConstraintGoesOn(t *testing.T) {
	e := fable(t)
	opts := drawn(0)
	opts.MaxTokens, opts.IgnoreEOS, opts.Constraint = 1000, false, bound(t, e, `{"type": "array", "items": {"enum": ["one", "two", "three"]}, "minItems": 2, "maxItems": 3}`)
	start := func() *mminfer.Session {
		s := e.NewSession()
		s.Seed(7)
		if err := s.FeedText(context.Background(), "Count: "); err != nil {
			t.Fatal(err)
		}
		return s
	}
	want := collect(t, start().Continue(context.Background(), opts))
	if last := want[len(want)-1]; last.Stop != mminfer.StopEOS {
		t.Fatalf("the text ends with %q", last.Stop)
	}
	for cut := 1; cut < len(want)-1; cut++ {
		s := start()
		n := 0
		for _, err := range s.Continue(context.Background(), opts) {
			if n++; err != nil || n == cut {
				break
			}
		}
		mark, fork := s.Mark(), s.Fork()
		sameTokens(t, "after an interruption", collect(t, s.Continue(context.Background(), opts)), want[cut:])
		sameTokens(t, "a fork", collect(t, fork.Continue(context.Background(), opts)), want[cut:])
		if err := s.Rewind(mark); err != nil {
			t.Fatal(err)
		}
		sameTokens(t, "rewound", collect(t, s.Continue(context.Background(), opts)), want[cut:])
	}
	s := start()
	first := collect(t, s.Continue(context.Background(), opts))
	second := collect(t, s.Generate(context.Background(), " And again: ", opts))
	for _, text := range []string{textOf(first), textOf(second)} {
		if !json.Valid([]byte(text)) {
			t.Errorf("not a text of its own: %q", text)
		}
	}
}

// TestConstraintsTogether gives sessions different constraints, or none, in one batch: each brings
// what it brings alone.
func TestConstraintsTogether(t *testing.T) {
	e := fable(t)
	king := bound(t, e, kingSchema)
	g, err := constrain.Regexp(` [A-Z][a-z]+( the [A-Z][a-z]{2,8})?\.`)
	if err != nil {
		t.Fatal(err)
	}
	name, err := e.Constrain(g)
	if err != nil {
		t.Fatal(err)
	}
	parts := make([]mminfer.Continuation, 6)
	want := make([][]mminfer.Token, len(parts))
	for i := range parts {
		opts := drawn(60)
		opts.Constraint = []*mminfer.Constraint{king, name, nil}[i%3]
		s := e.NewSession()
		s.Seed(uint64(i))
		if err := s.FeedText(context.Background(), "The king was"); err != nil {
			t.Fatal(err)
		}
		want[i] = collect(t, s.Fork().Continue(context.Background(), opts))
		parts[i] = mminfer.Continuation{Session: s, Options: opts}
	}
	got := make([][]mminfer.Token, len(parts))
	for token, err := range e.Together(context.Background(), parts) {
		if err != nil {
			t.Fatal(err)
		}
		got[token.Index] = append(got[token.Index], token.Token)
	}
	for i := range got {
		sameTokens(t, fmt.Sprint("session ", i), got[i], want[i])
	}
}

// TestConstraintConcurrent shares one constraint between goroutines.
func TestConstraintConcurrent(t *testing.T) {
	e := fable(t)
	c := bound(t, e, kingSchema)
	var wait sync.WaitGroup
	for seed := range uint64(4) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			s := e.NewSession()
			s.Seed(seed)
			opts := drawn(60)
			opts.Constraint = c
			text := ""
			for token, err := range s.Generate(context.Background(), "JSON: ", opts) {
				if err != nil {
					t.Error(err)
				}
				text += token.Text
			}
			if err := checkKing(text); err != nil {
				t.Error(err)
			}
		}()
	}
	wait.Wait()
}

// TestConstraintEnds ends texts without an end-of-text token, and where the model wants on.
func TestConstraintEnds(t *testing.T) {
	e := fable(t)
	for _, c := range []struct {
		regex string
		eos   bool
		want  mminfer.StopReason
	}{
		{"abc", true, mminfer.StopComplete},
		{"abc", false, mminfer.StopEOS},
		{"abc*", true, mminfer.StopLength},
	} {
		g, err := constrain.Regexp(c.regex)
		if err != nil {
			t.Fatal(err)
		}
		bound, err := e.Constrain(g)
		if err != nil {
			t.Fatal(err)
		}
		tokens := collect(t, e.NewSession().Generate(context.Background(), "x", mminfer.GenerateOptions{MaxTokens: 20, IgnoreEOS: c.eos, Constraint: bound}))
		if got := tokens[len(tokens)-1].Stop; got != c.want || !strings.HasPrefix(textOf(tokens), "abc") {
			t.Errorf("%s, ignoring the end %v: %q after %q, want %q", c.regex, c.eos, got, textOf(tokens), c.want)
		}
	}
}

// mustOpen opens a model for one test.
func mustOpen(t *testing.T, fsys fs.FS, dir string) *mminfer.Engine {
	t.Helper()
	e, err := mminfer.OpenFS(fsys, dir, mminfer.WithThreads(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// TestConstraintRefuses tells what cannot be.
func TestConstraintRefuses(t *testing.T) {
	e := fable(t)
	failure := func(s *mminfer.Session, c *mminfer.Constraint) error {
		for _, err := range s.Generate(context.Background(), "x", mminfer.GenerateOptions{MaxTokens: 9, Constraint: c}) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	other := mustOpen(t, demo.FS, demo.Fable)
	if err := failure(other.NewSession(), bound(t, e, `{}`)); err == nil || !strings.Contains(err.Error(), "another engine") {
		t.Errorf("a constraint of another engine: %v", err)
	}
	few := mustOpen(t, edited(t, "tokenizer.json", `"#":`, `"##":`), ".")
	g, err := constrain.Regexp("#")
	if err != nil {
		t.Fatal(err)
	}
	c, err := few.Constrain(g)
	if err != nil {
		t.Fatal(err)
	}
	if err := failure(few.NewSession(), c); !errors.Is(err, mminfer.ErrStuck) {
		t.Errorf("a vocabulary without #: %v", err)
	}
	bare := mustOpen(t, edited(t, "tokenizer.json", "", ""), ".")
	if _, err := bare.Constrain(g); !errors.Is(err, mminfer.ErrNoTokenizer) {
		t.Errorf("no tokenizer: %v", err)
	}
}

func ExampleEngine_Constrain() {
	engine, err := mminfer.OpenFS(demo.FS, demo.Fable)
	if err != nil {
		panic(err)
	}
	defer engine.Close()
	grammar, err := constrain.JSONSchema([]byte(`{"type": "object", "properties": {"who": {"enum": ["king", "fox"]}, "age": {"type": "integer", "minimum": 1, "maximum": 99}},
		"required": ["who", "age"], "additionalProperties": false}`))
	if err != nil {
		panic(err)
	}
	constraint, err := engine.Constrain(grammar)
	if err != nil {
		panic(err)
	}
	session := engine.NewSession()
	for token, err := range session.Generate(context.Background(), "Once upon a time there lived a ", mminfer.GenerateOptions{MaxTokens: 40, Constraint: constraint}) {
		if err != nil {
			panic(err)
		}
		fmt.Print(token.Text)
	}
	// Output:
	// {"who": "fox", "age":
	//  24 }
}
