package constrain_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mminfer/mminfer/constrain"
	"github.com/mminfer/mminfer/internal/cputime"
)

// refusals lists sources that a compiler must refuse, and what the error must name.
type refusals []struct{ source, want string }

func (list refusals) check(t *testing.T, compile func(string) (*constrain.Grammar, error)) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for i, c := range list {
		var err error
		took := time.Hour
		for try := 0; try < 5 && took > 50*time.Millisecond; try++ {
			began := cputime.Thread()
			_, err = compile(c.source)
			took = min(took, cputime.Thread()-began)
		}
		name := c.source[:min(len(c.source), 60)]
		if err == nil {
			t.Errorf("%d: compiled: %s", i, name)
			continue
		}
		if !strings.Contains(err.Error(), c.want) || len(err.Error()) > 500 {
			t.Errorf("%d: %s: %v, want %q", i, name, err, c.want)
		}
		if !(took <= 50*time.Millisecond) && !raceEnabled {
			t.Errorf("%d: %s: refused after %v", i, name, took)
		}
	}
}

func schemaOf(s string) (*constrain.Grammar, error) { return constrain.JSONSchema([]byte(s)) }

func TestSchemasRefused(t *testing.T) {
	deep := strings.Repeat(`{"properties":{"a":`, 40) + "{}" + strings.Repeat("}}", 40)
	refusals{
		{``, "not JSON"},
		{`{`, "not JSON"},
		{`{} {}`, "more than one"},
		{"{\"a\xff\":1}", "UTF-8"},
		{`"string"`, "not a schema"},
		{`[]`, "not a schema"},
		{`{"type":"string","type":"null"}`, "comes twice"},
		{deep, "deep"},
		{strings.Repeat(" ", constrain.MaxSourceBytes) + "{}", "bytes"},
		{`{"type":["string","strnig"]}`, `#: type: found "strnig"`},
		{`{"type":[]}`, "#: type"},
		{`{"type":7}`, "#: type"},
		{`{"enum":{}}`, "#: enum"},
		{`{"minimum":"3"}`, "#: minimum"},
		{`{"minimum":1e999999999}`, "out of range"},
		{`{"enum":[1e999999999]}`, "out of range"},
		{`{"exclusiveMinimum":true,"minimum":1}`, "draft 4"},
		{`{"multipleOf":0}`, "#: multipleOf"},
		{`{"type":"number","multipleOf":0.00001234567}`, "multipleOf"},
		{`{"minLength":-1}`, "#: minLength"},
		{`{"maxLength":1.5}`, "#: maxLength"},
		{`{"maxLength":100000000}`, "cannot be counted"},
		{`{"type":"array","minItems":120000,"items":{"type":"array","minItems":120000}}`, ""},
		{`{"properties":[]}`, "#/properties"},
		{`{"properties":{"a/b":3}}`, "#/properties/a~1b"},
		{`{"required":"a"}`, "#: required"},
		{`{"required":["a","a"]}`, "#: required"},
		{`{"items":[{}]}`, "prefixItems"},
		{`{"prefixItems":[]}`, "#/prefixItems: expected"},
		{`{"anyOf":[]}`, "#/anyOf: expected"},
		{`{"anyOf":{}}`, "#/anyOf: expected"},
		{`{"allOf":[{"type":"string"},{"type":"null"}]}`, "exclude one another"},
		{`{"oneOf":[{"type":"integer"},{"type":"number"}]}`, "#: oneOf: branches 0 and 1"},
		{`{"oneOf":[{"type":"object","properties":{"k":{"const":1}}},{"type":"object","properties":{"k":{"const":2}}}]}`, "oneOf"},
		{`{"$ref":3}`, "#: $ref"},
		{`{"$ref":"#/a/b/c"}`, "#: $ref"},
		{`{"$ref":"other.json#/a"}`, "nothing is fetched"},
		{`{"allOf":[{"$ref":"#"}]}`, "circle"},
		{`{"$id":"x","properties":{"a":{"$id":"y"}}}`, "#/properties/a: $id"},
		{`{"$defs":{"a":{"$anchor":"a"}},"$ref":"#/$defs/a"}`, "$anchor"},
		{`{"additionalItems":false}`, "additionalItems"},
		{`{"unevaluatedProperties":false}`, "unevaluatedProperties"},
		{`{"nullable":true,"type":"string"}`, "nullable"},
		{`{"tpye":"string"}`, `"tpye": unknown keyword`},
		{`{"format":"idn-email"}`, "idn-email"},
		{`{"uniqueItems":true}`, "uniqueItems"},
		{`{"uniqueItems":1}`, "uniqueItems"},
		{`{"type":"object","minProperties":2}`, "minProperties"},
		{`{"type":"object","minProperties":1,"maxProperties":0}`, "minProperties"},
		{`{"type":"object","propertyNames":{"pattern":"^x"},"required":["a"]}`, "propertyNames"},
		{`{"pattern":3}`, "#: pattern"},
		{`{"pattern":"*a"}`, "#: pattern"},
		{`{"pattern":"a\\"}`, "pattern"},
		{`{"pattern":"\\bword\\b"}`, "word boundaries"},
		{`{"pattern":"(?<=a)b"}`, "look-around"},
		{`{"pattern":"(?<x>a)\\k<x>"}`, "back-references"},
		{`{"pattern":"` + strings.Repeat("(", 60000) + `"}`, "pattern"},
		{`{"pattern":"^(a|b)*a(a|b){18}$"}`, "automaton"},
		{`{"pattern":"((a{900}){900}){900}"}`, "pattern"},
		{`{"type":"string","pattern":"^a$","minLength":3}`, "pattern"},
		{`{"type":"string","pattern":"^a*$","minLength":30000}`, "automaton"},
		{`{"const":3,"type":"string"}`, "enum"},
		{`{"enum":[1,2],"const":3}`, "enum"},
		{`{"type":"number","minimum":3,"exclusiveMaximum":3}`, "minimum"},
		{`{"type":"integer","minimum":1.2,"maximum":1.8}`, "minimum"},
		{`{"type":"integer","minimum":1,"maximum":2,"multipleOf":3}`, "multipleOf"},
		{`{"type":"array","prefixItems":[{"$ref":"#"}],"minItems":1}`, "no finite text"},
	}.check(t, schemaOf)
}

func TestRegexpsRefused(t *testing.T) {
	refusals{
		{`(`, "missing closing"},
		{`)`, "unexpected"},
		{`[a`, "missing closing ]"},
		{`[z-a]`, "invalid character class range"},
		{`*a`, "missing argument"},
		{`a**`, "invalid nested repetition"},
		{`a{2,1}`, "invalid repeat count"},
		{`a{1001}`, "1000"},
		{`(a{1000}){1000}`, "1000"},
		{`(?=a)`, "look-around"},
		{`(?!a)b`, "look-around"},
		{`a(?<=a)`, "look-around"},
		{`(?<!a)b`, "look-around"},
		{`(a)\1`, "back-references"},
		{`\bword`, "word boundaries"},
		{`a\B`, "word boundaries"},
		{`(?m)^a$`, "lines"},
		{`a^b`, "anchor within"},
		{`(a$)+b`, "anchor within"},
		{`(^a)*`, "anchor within"},
		{`\pX`, "character class"},
		{`\`, "trailing backslash"},
		{"\xff", "UTF-8"},
		{`[^\x00-\x{10FFFF}]`, "no text"},
		{`(?i:a`, "missing closing"},
		{strings.Repeat("(", 60000), ""},
		{strings.Repeat("a", constrain.MaxSourceBytes+1), "bytes"},
		{strings.Repeat("((((a?){9}){9}){9}){1,1000}", 1), "1000"},
	}.check(t, constrain.Regexp)
}

func TestGrammarsRefused(t *testing.T) {
	refusals{
		{``, "root"},
		{`rot ::= "a"`, "root"},
		{`root = "a"`, "::="},
		{`root ::= "a`, `"`},
		{`root ::= [a`, "]"},
		{`root ::= [z-a]`, "empty"},
		{`root ::= ("a"`, ") to close"},
		{`root ::= "a")`, "the end of the rule"},
		{`root ::= "\q"`, `unknown escape`},
		{`root ::= "\x4"`, "hexadecimal"},
		{`root ::= "\ud800"`, "hexadecimal"},
		{`root ::= "a"{2,1}`, "smaller"},
		{`root ::= "a"{x}`, "expected {m}"},
		{`root ::= "a"{99999999999}`, "expected"},
		{`root ::= "a"{9999999}`, "at most"},
		{`root ::= "a"{2`, "repetition"},
		{`root ::= a`, "rule a is used and not defined"},
		{"root ::= \"a\"\nroot ::= \"b\"", "line 2: rule root is defined twice"},
		{`root ::= root "a" | "b"`, "root -> root"},
		{"root ::= a\na ::= b\nb ::= \" \"* a", "left recursion: a"},
		{"root ::= ws root \"a\"\nws ::= [ ]*", "left recursion"},
		{`root ::= ( root )+`, "left recursion"},
		{`root ::= "a" root`, "no finite text"},
		{"root ::= \"a\" b\nb ::= \"b\" b", "no finite text"},
		{`root ::= <think>`, "tokens"},
		{`root ::= *`, "end of the rule"},
		{`::= "a"`, "name"},
		{"root ::= \"a\xff\"", "UTF-8"},
		{`root ::= ` + strings.Repeat("(", 60000), "groups"},
		{`root ::= "a"` + strings.Repeat("*", 60000), "repetitions"},
		{doubling(40), "no finite text"},
	}.check(t, constrain.GBNF)
}

// doubling is a grammar whose only text has 2 to the power of n bytes.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("root ::= r0\n")
	for i := range n {
		fmt.Fprintf(&b, "r%d ::= r%d r%d\n", i, i+1, i+1)
	}
	fmt.Fprintf(&b, "r%d ::= \"a\"\n", n)
	return b.String()
}

// TestAmbiguous follows a text that has more readings with every byte: their stacks are merged, so
// that it stays cheap, and what cannot be merged ends in an error.
func TestAmbiguous(t *testing.T) {
	g, err := constrain.GBNF("root ::= e\ne ::= \"a\" e \"b\" | \"a\" e \"c\" | \"a\" e e | \"a\"\n")
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := g.Match(strings.Repeat("a", 61) + strings.Repeat("bc", 20)); !ok {
		t.Errorf("refused after %d bytes", n)
	}
	if n, ok := g.Match(strings.Repeat("a", 20) + strings.Repeat("bc", 20)); ok || n > 40 {
		t.Errorf("too many ends: %d, %v", n, ok)
	}
	wide, err := constrain.Regexp(`((a?){30}){30}((a?b?){30}){30}`)
	if err != nil {
		t.Fatal(err)
	}
	m := wide.Matcher(constrain.NewVocabulary([]string{"a", "b", "ab", strings.Repeat("ab", 50)}))
	began := cputime.Thread()
	if _, err := m.Mask(m.Start()); err != nil && !strings.Contains(err.Error(), "readings") {
		t.Error(err)
	}
	if took := cputime.Thread() - began; !(took < 10*time.Second) {
		t.Errorf("the mask took %v", took)
	}
}
