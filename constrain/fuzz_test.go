package constrain_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/mminfer/mminfer/constrain"
)

// smallVocabulary is every byte and what a model's vocabulary has for JSON and text.
var smallTokens = func() []string {
	tokens := []string{"", `{"`, `":`, `": `, `",`, `","`, `"}`, `"]`, `}}`, `]}`, `[[`, `[{`, "\n", "\n  ", "true", "false", "null", "tru", "é", "你", "😀",
		"\xf0\x9f", "\x98\x80", `\n`, `\u00`, `\ud83d`, `\ude00`, "the", " the", "name", "id", "10", "00", "-1", ".5", "e1", "  ", "ab", "abc", "2024", "-01"}
	for b := range 256 {
		tokens = append(tokens, string([]byte{byte(b)}))
	}
	return tokens
}()

var smallVocabulary = constrain.NewVocabulary(smallTokens)

// texts draws texts from a grammar by masks, in two manners: any token, and after some tokens
// only those that lead to the end. Each must come to an end.
func texts(t *testing.T, g *constrain.Grammar, seed uint64, n int) (list []string) {
	if g.Shortest() > 1<<10 {
		return nil
	}
	m := g.Matcher(smallVocabulary)
	for i := range n {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		free := rng.IntN(40)
		s, text := m.Start(), ""
		var ids []int32
		for step := 0; ; step++ {
			if s.Complete() && (step >= free || rng.IntN(4) == 0) {
				break
			}
			k, err := m.Mask(s)
			if err == nil && step >= free {
				k, err = m.MaskWithin(s, s.Remaining()-1)
			}
			if err != nil {
				if strings.Contains(err.Error(), "readings") {
					return list
				}
				t.Fatal(err)
			}
			if ids = k.Append(ids[:0]); len(ids) == 0 {
				if s.Complete() {
					break
				}
				t.Fatalf("a dead end after %q", text)
			}
			id := ids[rng.IntN(len(ids))]
			next, ok := m.Token(s, id)
			if !ok {
				t.Fatalf("the mask allows %q after %q, the automaton does not", smallTokens[id], text)
			}
			s, text = next, text+smallTokens[id]
		}
		if n, ok := g.Match(text); !ok {
			t.Fatalf("%q was generated and does not match (%d bytes)", text, n)
		}
		list = append(list, text)
	}
	return list
}

// validator compiles a schema with the independent library, formats checked; nil if it cannot.
func validator(schema []byte) *jsonschema.Schema {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema)))
	if err != nil {
		return nil
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	c.DefaultDraft(jsonschema.Draft2020)
	c.UseRegexpEngine(func(s string) (jsonschema.Regexp, error) {
		return regexp.Compile(regexp.MustCompile(`\\u([0-9a-fA-F]{4})`).ReplaceAllString(s, `\x{$1}`))
	})
	c.UseLoader(jsonschema.SchemeURLLoader{})
	if err := c.AddResource("mem:///schema.json", doc); err != nil {
		return nil
	}
	s, err := c.Compile("mem:///schema.json")
	if err != nil {
		return nil
	}
	return s
}

// checkSchema draws texts of a schema and has the independent library validate them. It skips
// schemas that one of the two refuses.
func checkSchema(t *testing.T, schema []byte, seed uint64, n int) bool {
	g, err := constrain.JSONSchema(schema)
	if err != nil {
		return false
	}
	v := validator(schema)
	if v == nil {
		return false
	}
	for _, text := range texts(t, g, seed, n) {
		if !json.Valid([]byte(text)) || !utf8.ValidString(text) {
			t.Fatalf("%s: not JSON: %q", schema, text)
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %q: %v", schema, text, err)
		}
		if err := v.Validate(value); err != nil {
			t.Fatalf("%s: generated %s, which is invalid: %v", schema, text, err)
		}
	}
	return true
}

// moreSchemas use keywords, and pairs of them, that the goldens have little of.
var moreSchemas = []string{
	`{}`, `true`, `{"type":"object"}`,
	`{"type":"number","minimum":-1.25,"maximum":3.5}`,
	`{"type":"number","exclusiveMinimum":0,"exclusiveMaximum":1}`,
	`{"type":"number","minimum":0.001,"maximum":0.0099}`,
	`{"type":"number","exclusiveMinimum":-0.5,"maximum":-0.125}`,
	`{"type":"number","minimum":99.99}`, `{"type":"integer","maximum":-99}`,
	`{"type":"number","multipleOf":0.25,"minimum":-2,"maximum":7}`,
	`{"type":"number","multipleOf":0.01}`, `{"type":"integer","multipleOf":2.5}`,
	`{"type":"integer","multipleOf":7,"minimum":-100,"exclusiveMaximum":1000}`,
	`{"type":"number","minimum":1e30,"maximum":1e35}`, `{"minimum":5,"type":["number","string"]}`,
	`{"type":"string","format":"date"}`, `{"type":"string","format":"time"}`, `{"type":"string","format":"date-time"}`, `{"type":"string","format":"uuid"}`,
	`{"type":"string","format":"email"}`, `{"type":"string","format":"hostname"}`, `{"type":"string","format":"ipv4"}`, `{"type":"string","format":"ipv6"}`,
	`{"type":"string","format":"uri"}`, `{"type":"string","format":"duration"}`,
	`{"type":"string","pattern":"a.c"}`, `{"type":"string","pattern":"^\\S+$"}`, `{"type":"string","pattern":"[^\\w\\s]"}`, `{"type":"string","pattern":"^[\\u00e0-\\u00ff]{2}$"}`,
	`{"type":"string","pattern":"^(?:a|bc)+$","minLength":3,"maxLength":7}`, `{"type":"string","pattern":"x$","allOf":[{"pattern":"^a"}]}`,
	`{"type":"string","pattern":"^\\p{Lu}\\d*$"}`, `{"type":"string","pattern":"^[^\"]*\"\\n$"}`,
	`{"type":"array","uniqueItems":true,"maxItems":1}`, `{"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"minItems":1,"maxItems":3}`,
	`{"type":"array","prefixItems":[{"const":1},{"const":2},{"const":3}],"maxItems":2}`, `{"type":"array","items":false}`,
	`{"type":"array","items":{"type":"integer"},"allOf":[{"items":{"minimum":3}},{"minItems":2}],"maxItems":4}`,
	`{"type":"object","propertyNames":{"pattern":"^x","maxLength":4}}`, `{"type":"object","propertyNames":{"enum":["a","b"]},"minProperties":1}`,
	`{"type":"object","patternProperties":{"^n_":{"type":"integer"},"_s$":{"minimum":5}},"additionalProperties":{"type":"string"}}`,
	`{"type":"object","properties":{"n_a":{"maximum":3}},"patternProperties":{"^n_":{"type":"integer"}},"required":["n_a"]}`,
	`{"type":"object","properties":{"a":{},"b":{},"c":{}},"minProperties":2,"additionalProperties":false}`,
	`{"type":"object","properties":{"a":{},"b":{},"c":{}},"minProperties":2,"maxProperties":2}`,
	`{"type":"object","properties":{"a":{"type":"null"}},"minProperties":2,"additionalProperties":{"type":"integer"}}`,
	`{"type":"object","maxProperties":2}`, `{"type":"object","required":["z","a"],"properties":{"a":{"type":"integer"}}}`,
	`{"properties":{"a":false,"b":{"type":"null"}}}`, `{"required":["a"]}`,
	`{"allOf":[{"properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"string"}},{"properties":{"b":{"minLength":1}},"required":["b"]}],"type":"object"}`,
	`{"anyOf":[{"minimum":3},{"type":"string"}],"type":["integer","string"]}`, `{"type":"object","properties":{"k":{"enum":["a","b"]}},"required":["k"],
		"oneOf":[{"properties":{"k":{"const":"a"},"x":{"type":"integer"}}},{"properties":{"k":{"const":"b"},"x":{"type":"string"}}}]}`,
	`{"oneOf":[{"type":"string","pattern":"^a"},{"type":"string","pattern":"^b"},{"type":"null"}]}`,
	`{"$defs":{"e":{"anyOf":[{"type":"integer"},{"type":"object","properties":{"l":{"$ref":"#/$defs/e"},"op":{"const":"+"},"r":{"$ref":"#/$defs/e"}},"required":["l","op","r"]},
		{"type":"object","properties":{"l":{"$ref":"#/$defs/e"},"op":{"const":"-"}},"required":["l","op"]}]}},"$ref":"#/$defs/e"}`,
	`{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#"}}},"additionalProperties":false}`,
	`{"enum":["a\"b","\u0001","é😀","\\"]}`, `{"const":{"a":[1,{"b":null}],"":"\n"}}`, `{"enum":[1.50,10,-0.0,1e2],"type":"integer"}`,
	`{"properties":{"é\n":{"type":"null"}},"required":["é\n"],"type":"object","additionalProperties":false}`,
}

func TestSchemasAgainstValidator(t *testing.T) {
	refused := 0
	schemas := moreSchemas
	for _, c := range lines[goldenCase](t, "testdata/json_schema/cases.jsonl") {
		schemas = append(schemas, string(c.Schema))
	}
	for i, schema := range schemas {
		if !checkSchema(t, []byte(schema), uint64(i), 30) {
			refused++
			_, err := constrain.JSONSchema([]byte(schema))
			t.Logf("not compared: %s: %v", schema, err)
		}
	}
	if refused > 0 {
		t.Errorf("%d schemas could not be compared", refused)
	}
}

// FuzzJSONSchema compiles any text as a schema; what it generates is valid to another library.
func FuzzJSONSchema(f *testing.F) {
	for _, s := range moreSchemas {
		f.Add([]byte(s), uint64(1))
	}
	for _, c := range lines[goldenCase](f, "testdata/json_schema/enforce_or_refuse.jsonl") {
		f.Add([]byte(c.Schema), uint64(2))
	}
	f.Fuzz(func(t *testing.T, schema []byte, seed uint64) {
		if strings.Contains(string(schema), "format") || strings.Contains(string(schema), `\\p`) {
			return // the library takes other sets of texts for some formats, and other tables of characters
		}
		checkSchema(t, schema, seed, 4)
	})
}

// FuzzRegexp compiles any text as an expression; what it generates matches to package regexp.
func FuzzRegexp(f *testing.F) {
	for _, s := range []string{`a*b`, `^(cat|dog)(fish)?s?$`, `[^a-z]{2,3}`, `(?i)straße`, `.+\n?`, `\d+\.\d{2}`, `(?s).{3}`, `[\x{100}-\x{10ffff}]é`, `(a|ab)(c|bcd)(d*)`, `\pL+`, `x{0}y?`, `(?:a{2,5}){2}$`} {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, pattern string, seed uint64) {
		g, err := constrain.Regexp(pattern)
		if err != nil {
			return
		}
		re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
		if err != nil {
			return
		}
		for _, text := range texts(t, g, seed, 4) {
			if !utf8.ValidString(text) || !re.MatchString(text) {
				t.Fatalf("%q: generated %q, which does not match", pattern, text)
			}
		}
	})
}

// FuzzGBNF compiles any text as a grammar; what it generates a backtracking recogniser accepts.
func FuzzGBNF(f *testing.F) {
	for _, s := range []string{arithmetic, "root ::= \"a\" | \"b\" root", "root ::= [^a-c\\n]{2,3} # end", "root ::= (\"x\" y)? y\ny ::= \"é\"+ | .", "root ::=\n  \"a\" |\n  (\n\"b\"\n)*",
		"root ::= e\ne ::= \"a\" e \"b\" | \"a\" e e | \"c\""} {
		f.Add(s, uint64(1))
	}
	f.Fuzz(func(t *testing.T, grammar string, seed uint64) {
		g, err := constrain.GBNF(grammar)
		if err != nil {
			return
		}
		for _, text := range texts(t, g, seed, 3) {
			if len(text) < 40 && utf8.ValidString(grammar) {
				r := &recogniser{text: text, budget: 1 << 18}
				if ok, sure := r.accepts(grammar); sure && !ok {
					t.Fatalf("%q: generated %q, which is not of the grammar", grammar, text)
				}
			}
		}
	})
}

// recogniser is a second, naive reading of grammars: it interprets the source by backtracking,
// and knows only the grammars of well-behaved form.
type recogniser struct {
	text   string
	rules  map[string]string
	budget int
}

var ruleLine = regexp.MustCompile(`^\s*([a-zA-Z0-9_-]+)\s*::=(.*)$`)

// accepts reports whether the text is of the grammar; it is sure of one-line rules of literals,
// classes without escapes and names, with | * + ?.
func (r *recogniser) accepts(grammar string) (ok, sure bool) {
	if strings.ContainsAny(grammar, "#\\(){}.!<\r") || strings.Contains(grammar, "[]") || strings.Contains(grammar, "[^]") {
		return false, false
	}
	r.rules = map[string]string{}
	for line := range strings.SplitSeq(grammar, "\n") {
		m := ruleLine.FindStringSubmatch(line)
		if strings.TrimSpace(line) == "" {
			continue
		}
		if m == nil || strings.TrimSpace(m[2]) == "" || strings.Count(line, `"`)%2 != 0 {
			return false, false
		}
		r.rules[m[1]] = m[2]
	}
	ends := r.rule("root", 0, 0)
	return ends[len(r.text)], r.budget > 0
}

type ends map[int]bool

func (r *recogniser) rule(name string, at, depth int) ends {
	out := ends{}
	if r.budget--; r.budget < 0 || depth > 200 {
		r.budget = -1
		return out
	}
	for _, sequence := range splitOutside(r.rules[name]) {
		for e := range r.sequence(strings.TrimSpace(sequence), at, depth) {
			out[e] = true
		}
	}
	return out
}

var elementText = regexp.MustCompile(`^("[^"]*"|\[\^?[^\]]*\]|[a-zA-Z0-9_-]+)([*+?\s]*)`)

func (r *recogniser) sequence(s string, at, depth int) ends {
	if s == "" {
		return ends{at: true}
	}
	m := elementText.FindStringSubmatch(s)
	if m == nil {
		r.budget = -1
		return ends{}
	}
	repeats := strings.Join(strings.Fields(m[2]), "")
	now := ends{at: true}
	if repeats == "" {
		now = r.element(m[1], at, depth)
	} else {
		once := !strings.ContainsAny(repeats, "*?")
		many := strings.ContainsAny(repeats, "*+")
		reached, todo := ends{}, []int{at}
		for round := 0; len(todo) > 0 && (round == 0 || many); round++ {
			var next []int
			for _, from := range todo {
				for e := range r.element(m[1], from, depth) {
					if !reached[e] {
						reached[e] = true
						next = append(next, e)
					}
				}
			}
			todo = next
		}
		if now = reached; !once {
			now[at] = true
		}
	}
	out := ends{}
	for from := range now {
		for e := range r.sequence(s[len(m[0]):], from, depth) {
			out[e] = true
		}
	}
	return out
}

func (r *recogniser) element(s string, at, depth int) ends {
	rest := r.text[at:]
	switch s[0] {
	case '"':
		if lit := s[1 : len(s)-1]; strings.HasPrefix(rest, lit) {
			return ends{at + len(lit): true}
		}
		return ends{}
	case '[':
		re, err := regexp.Compile(`^(?s:` + strings.ReplaceAll(s, "[:", `[\:`) + `)`)
		if err != nil {
			r.budget = -1
			return ends{}
		}
		if m := re.FindString(rest); m != "" {
			return ends{at + len(m): true}
		}
		return ends{}
	}
	return r.rule(s, at, depth+1)
}

// splitOutside cuts at bars outside of quotes and brackets.
func splitOutside(s string) (parts []string) {
	closing, from := byte(0), 0
	for i := range len(s) {
		switch c := s[i]; {
		case closing != 0:
			if c == closing {
				closing = 0
			}
		case c == '"':
			closing = '"'
		case c == '[':
			closing = ']'
		case c == '|':
			parts = append(parts, s[from:i])
			from = i + 1
		}
	}
	return append(parts, s[from:])
}

// Example-like checks of what grammars mean.
func TestGBNF(t *testing.T) {
	for _, c := range []struct {
		grammar        string
		accept, reject []string
	}{
		{arithmetic, []string{"1=2\n", "(a+1)*b=x\n3=4\n"}, []string{"", "1=", "=1\n", "1=2"}},
		{"root ::= \"a\\n\" [^x-z\\]]{2} # c\n  | \"\\x41\\u00e9\"", []string{"a\nbé", "Aé"}, []string{"a\nbx", "a\nb", "A", "a\n]b"}},
		{"root ::= ab{2,} \"c\"?\nab ::= \"ab\"", []string{"abab", "ababababc"}, []string{"ab", "ababcc"}},
		{"root ::= \"(\" root \")\" | \"\"", []string{"", "((()))"}, []string{"(", "())"}},
		{"root ::= (\n  \"a\" |\n  \"b\"  # two\n)+\n\n# end", []string{"abba"}, []string{"", "c"}},
		{"root ::= .{,2}", []string{"", "é", "\n😀"}, []string{"abc", "\xff"}},
		{"root ::= l\nl ::= [0-9] (\",\" l)?", []string{"1", "1,2,3"}, []string{"1,", ",1"}},
	} {
		g, err := constrain.GBNF(c.grammar)
		if err != nil {
			t.Errorf("%q: %v", c.grammar, err)
			continue
		}
		for _, text := range c.accept {
			if n, ok := g.Match(text); !ok {
				t.Errorf("%q: refused after %d bytes: %q", c.grammar, n, text)
			}
		}
		for _, text := range c.reject {
			if _, ok := g.Match(text); ok {
				t.Errorf("%q: accepted: %q", c.grammar, text)
			}
		}
	}
}

// TestRegexp compares the language with package regexp's on texts over a small alphabet.
func TestRegexp(t *testing.T) {
	var all []string
	for _, last := 0, []string{""}; len(last[0]) < 5; {
		all = append(all, last...)
		var next []string
		for _, s := range last {
			for _, c := range []string{"a", "b", "é", "\n"} {
				next = append(next, s+c)
			}
		}
		last = next
	}
	for _, pattern := range []string{`a*b`, `(a|ab)(b|é)*`, `.+`, `(?s).{2,3}`, `[^a]b?`, `(?i)A+É`, `^a|b$`, `(^a)?b`, `(?U)a+b*`, `()`, `a{2}|b{,3}`, `[[:alpha:]]+`, `\S\s`, `(?:a|é){2}\n?`} {
		g, err := constrain.Regexp(pattern)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		re := regexp.MustCompile(fmt.Sprintf(`\A(?:%s)\z`, pattern))
		for _, text := range all {
			if _, ok := g.Match(text); ok != re.MatchString(text) {
				t.Errorf("%s: %q is %v", pattern, text, ok)
			}
		}
	}
}
