package chat

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
)

const goldens = "testdata/golden"

// golden is one line of cases.jsonl or features.jsonl.
type golden struct {
	Template        string
	Conversation    string
	Group           string
	Want            *string
	Error           string
	Message         string
	GenerationSpans [][2]int `json:"generation_spans"`
}

// conversations is the contents of conversations.json; each conversation is an object of variables.
type conversations struct {
	Defaults      map[string]string
	Now           string
	Conversations []json.RawMessage
}

func readGolden(tb testing.TB, name string) []byte {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(goldens, name))
	if err != nil {
		tb.Skip("the goldens are in the repository, not in a module download")
	}
	return b
}

func readLines(tb testing.TB, name string) (lines []golden) {
	tb.Helper()
	s := bufio.NewScanner(bytes.NewReader(readGolden(tb, name)))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var g golden
		if err := json.Unmarshal(s.Bytes(), &g); err != nil {
			tb.Fatal(err)
		}
		lines = append(lines, g)
	}
	return lines
}

func readConversations(tb testing.TB) (in map[string]Input) {
	tb.Helper()
	var c conversations
	if err := json.Unmarshal(readGolden(tb, "conversations.json"), &c); err != nil {
		tb.Fatal(err)
	}
	now, err := time.Parse("2006-01-02T15:04:05", c.Now)
	if err != nil {
		tb.Fatal(err)
	}
	in = make(map[string]Input)
	for _, raw := range c.Conversations {
		var name struct{ Name string }
		if err := json.Unmarshal(raw, &name); err != nil {
			tb.Fatal(err)
		}
		in[name.Name] = Input{Variables: raw, Tokens: c.Defaults, Now: func() time.Time { return now }}
	}
	return in
}

// check compares a rendering with a golden.
func (g *golden) check(t *testing.T, source string, in Input) {
	t.Helper()
	var out *Output
	tmpl, err := Parse("golden", source)
	if err == nil {
		out, err = tmpl.Render(in)
	}
	if err != nil {
		e, ok := err.(*Error)
		if !ok || e.Kind.String() != g.Error || g.Error == "raise" && e.Message != g.Message {
			t.Errorf("%s %s %q: error %v; expected %q %q, text %v", g.Conversation, g.Group, g.Template, err, g.Error, g.Message, show(g.Want))
		}
		return
	}
	if g.Want == nil || out.Text != *g.Want {
		t.Errorf("%s %s %q:\nfound    %q\nexpected %s %s", g.Conversation, g.Group, g.Template, out.Text, show(g.Want), g.Error)
		return
	}
	var spans []Span
	for _, s := range g.GenerationSpans {
		spans = append(spans, Span{Start: s[0], End: s[1]})
	}
	if g.GenerationSpans != nil && !equalSpans(spans, out.Generation) {
		t.Errorf("%s %q: generation %v, expected %v", g.Conversation, g.Template, out.Generation, spans)
	}
}

func equalSpans(a, b []Span) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func show(s *string) string {
	if s == nil {
		return "none"
	}
	b, _ := json.Marshal(*s)
	return string(bytes.TrimSpace(b))
}

// Operators, filters, tests, methods and errors one by one, as jinja2 does them.
func TestSnippets(t *testing.T) {
	vars := readGolden(t, "features_vars.json")
	now := readConversations(t)["one_user"].Now
	snippets := readLines(t, "../snippets.jsonl")
	for _, g := range snippets {
		g.check(t, g.Template, Input{Variables: vars, Now: now})
	}
	if len(snippets) < 500 {
		t.Errorf("%d snippets, expected 500 and more", len(snippets))
	}
}

// Every template over every conversation gives jinja2's text, or its kind of error.
func TestGoldenCases(t *testing.T) {
	in := readConversations(t)
	cases := readLines(t, "cases.jsonl")
	for _, g := range cases {
		g.check(t, string(readGolden(t, "templates/"+g.Template+".jinja")), in[g.Conversation])
	}
	if len(cases) != 783 {
		t.Errorf("%d cases, expected 783", len(cases))
	}
}

func TestGoldenFeatures(t *testing.T) {
	vars := readGolden(t, "features_vars.json")
	now := readConversations(t)["one_user"].Now
	features := readLines(t, "features.jsonl")
	for _, g := range features {
		g.check(t, g.Template, Input{Variables: vars, Now: now})
	}
	if len(features) != 199 {
		t.Errorf("%d features, expected 199", len(features))
	}
}

// One template renders for several at a time, and nothing that it does to a string stays.
func TestConcurrentRender(t *testing.T) {
	const want = "a&lt; a< &lt; a&lt;< True False"
	tmpl, err := Parse("x", "{% set x = 'a<' %}{{ x | e }} {{ x }} {% set y = '<' | e %}{{ y | replace('q', 'z') }} {{ y | string | replace('&', 'a&') ~ '<' }} {{ y is escaped }} {{ x is escaped }}")
	if err != nil {
		t.Fatal(err)
	}
	t.Run("renderings", func(t *testing.T) {
		for range 8 {
			t.Run("one", func(t *testing.T) {
				t.Parallel()
				for range 100 {
					if out, err := tmpl.Render(Input{}); err != nil || out.Text != want {
						t.Fatalf("found %v, %v, expected %s", out, err, want)
					}
				}
			})
		}
	})
}

// Typical templates take well under 200 microseconds.
func BenchmarkRender(b *testing.B) {
	in := readConversations(b)
	for _, c := range []struct{ template, conversation string }{
		{"chatml_plain", "three_turns"}, {"llama3_tools", "tool_loop"}, {"qwen3_thinking", "three_turns"}, {"qwen3_thinking", "tool_loop"},
		{"mistral_v3_tools", "two_calls"}, {"harmony", "tools_system"},
	} {
		tmpl, err := Parse(c.template, string(readGolden(b, "templates/"+c.template+".jinja")))
		if err != nil {
			b.Fatal(err)
		}
		b.Run("template="+c.template+"/conversation="+c.conversation, func(b *testing.B) {
			for b.Loop() {
				if _, err := tmpl.Render(in[c.conversation]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	source := string(readGolden(b, "templates/qwen3_thinking.jinja"))
	for b.Loop() {
		if _, err := Parse("qwen3", source); err != nil {
			b.Fatal(err)
		}
	}
}
