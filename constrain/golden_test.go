package constrain_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/mminfer/mminfer/constrain"
)

// lines decodes a file of one JSON value a line.
func lines[T any](t testing.TB, path string) (list []T) {
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(src) {
		var v T
		if err := json.Unmarshal(line, &v); err != nil {
			t.Fatal(err)
		}
		list = append(list, v)
	}
	return list
}

// goldenCase is a schema with texts, see json_schema/README.md of the goldens.
type goldenCase struct {
	Name           string
	Schema         json.RawMessage
	Accept, Reject []string
	DeadPrefix     []string `json:"dead_prefix"`
	InvalidExample *string  `json:"invalid_example"`
}

func TestGoldenCases(t *testing.T) {
	for _, c := range lines[goldenCase](t, "testdata/json_schema/cases.jsonl") {
		g, err := constrain.JSONSchema(c.Schema)
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		for _, text := range c.Accept {
			if n, ok := g.Match(text); !ok {
				t.Errorf("%s: refused after %d bytes: %q", c.Name, n, text)
			}
			cut(t, c.Name, g, text)
		}
		for _, text := range c.Reject {
			if _, ok := g.Match(text); ok {
				t.Errorf("%s: accepted: %q", c.Name, text)
			}
		}
		for _, text := range c.DeadPrefix {
			if n, _ := g.Match(text); n == len(text) {
				t.Errorf("%s: alive: %q", c.Name, text)
			}
		}
	}
}

// cut feeds a text in random pieces, each a token beside wrong ones, through masks.
func cut(t *testing.T, name string, g *constrain.Grammar, text string) {
	rng := rand.New(rand.NewPCG(1, uint64(len(text))))
	for range 8 {
		var tokens []string
		for at := 0; at < len(text); {
			n := min(1+rng.IntN(4), len(text)-at)
			tokens = append(tokens, text[at:at+n])
			at += n
		}
		n := len(tokens)
		for b := range 256 {
			tokens = append(tokens, string([]byte{byte(b)}))
		}
		m := g.Matcher(constrain.NewVocabulary(tokens))
		s := m.Start()
		for id := range n {
			k, err := m.Mask(s)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if !k.Allows(int32(id)) {
				t.Fatalf("%s: %q is not allowed within %q", name, tokens[id], text)
			}
			for other := range tokens {
				if _, ok := m.Token(s, int32(other)); ok != k.Allows(int32(other)) {
					t.Fatalf("%s: mask and automaton disagree about %q", name, tokens[other])
				}
			}
			s, _ = m.Token(s, int32(id))
		}
		if !s.Complete() {
			t.Fatalf("%s: %q is not complete", name, text)
		}
	}
}

func TestGoldenEnforceOrRefuse(t *testing.T) {
	keyword := map[string]string{
		"not": "not", "if_then": "if", "unique_items": "uniqueItems", "contains": "contains", "dependent_required": "dependentRequired",
		"pattern_lookahead": "pattern", "pattern_backreference": "pattern", "false_schema": "false",
	}
	for _, c := range lines[goldenCase](t, "testdata/json_schema/enforce_or_refuse.jsonl") {
		g, err := constrain.JSONSchema(c.Schema)
		if want, refused := keyword[c.Name]; refused {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, expected an error that names %s", c.Name, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
		} else if _, ok := g.Match(*c.InvalidExample); ok {
			t.Errorf("%s: accepted: %s", c.Name, *c.InvalidExample)
		}
	}
}

func TestGoldenBroken(t *testing.T) {
	for _, c := range lines[goldenCase](t, "testdata/json_schema/broken.jsonl") {
		_, err := constrain.JSONSchema(c.Schema)
		if err == nil {
			t.Errorf("%s: compiled", c.Name)
		}
		t.Log(err)
	}
}
