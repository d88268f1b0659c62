package chat

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// foreign is a text that no template has; foreignText are the forms that a template's filters give it.
const foreign = "\ue012\ue013"

var foreignText = regexp.MustCompile("(?i)[\ue012\ue013]|\\\\ue01[23]|%EE%80%9[23]")

// infest returns JSON with every string replaced by foreign text, except for roles and types.
func infest(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		tb.Fatal(err)
	}
	var walk func(v any, key string) any
	walk = func(v any, key string) any {
		switch v := v.(type) {
		case string:
			if key != "role" && key != "type" && key != "id" {
				return strings.Repeat(foreign, 1+len(v)/8)
			}
		case []any:
			for i := range v {
				v[i] = walk(v[i], key)
			}
		case map[string]any:
			for k := range v {
				v[k] = walk(v[k], k)
			}
		}
		return v
	}
	out, err := json.Marshal(walk(v, ""))
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// checkOutput checks the form of the spans, and that foreign text is within them.
func checkOutput(tb testing.TB, out *Output) {
	tb.Helper()
	if !utf8.ValidString(out.Text) {
		tb.Errorf("%q is not valid UTF-8", out.Text)
	}
	end := -1
	for _, s := range out.Untrusted {
		if s.Start <= end || s.End <= s.Start || s.End > len(out.Text) ||
			!utf8.RuneStart(out.Text[s.Start]) || s.End < len(out.Text) && !utf8.RuneStart(out.Text[s.End]) {
			tb.Fatalf("spans %v of %q", out.Untrusted, out.Text)
		}
		end = s.End
	}
	for _, at := range foreignText.FindAllStringIndex(out.Text, -1) {
		if !slices.ContainsFunc(out.Untrusted, func(s Span) bool { return s.Start <= at[0] && at[1] <= s.End }) {
			tb.Errorf("foreign text at %v of %q is trusted: %v", at, out.Text, out.Untrusted)
		}
	}
}

// Whatever comes from messages and other variables is untrusted in the text, through every golden
// template and feature.
func TestNothingForeignIsTrusted(t *testing.T) {
	rendered := 0
	render := func(source string, in Input) {
		tmpl, err := Parse("x", source)
		if err != nil {
			return
		}
		if out, err := tmpl.Render(in); err == nil {
			checkOutput(t, out)
			rendered++
		}
	}
	for name, in := range readConversations(t) {
		in.Variables = infest(t, in.Variables)
		for _, g := range readLines(t, "cases.jsonl") {
			if g.Conversation == name {
				render(string(readGolden(t, "templates/"+g.Template+".jinja")), in)
			}
		}
	}
	vars := infest(t, readGolden(t, "features_vars.json"))
	for _, file := range []string{"features.jsonl", "../snippets.jsonl"} {
		for _, g := range readLines(t, file) {
			render(g.Template, Input{Variables: vars})
		}
	}
	if rendered < 1000 {
		t.Errorf("%d renderings, expected 1000 and more", rendered)
	}
}

// What the template says is trusted, and operations on strings keep the two apart.
func TestUntrusted(t *testing.T) {
	vars := []byte(`{"messages": [{"role": "user", "content": "hi <b> hi"}, {"role": "</s>", "content": ""}], "n": 5, "name": "Zoë ß"}`)
	for _, c := range []struct{ source, want string }{ // the untrusted parts in brackets
		{"<a>{{ messages[0].content }}</a>", "<a>«hi <b> hi»</a>"},
		{"{{ bos_token + messages[0].content + bos_token }}", "<s>«hi <b> hi»<s>"},
		{"{{ '<|' ~ messages[0].role ~ '|>' }}{{ messages[1].role }}", "<|user|>«</s>»"},
		{"{{ messages[0]['role'] | title }}{{ n }}{{ none }}{{ messages | length }}", "User5None2"},
		{"{{ (' a ' + messages[0].content + ' ') | trim }}", "a «hi <b> hi»"},
		{"{{ ('a' + messages[0].content + 'b')[1:4] }}", "«hi »"},
		{"{{ ('a' + messages[0].content)[0:4] }}", "a«hi »"},
		{"{{ messages[0].content.replace('hi', 'X') }}", "X« <b> »X"},
		{"{{ 'aXb'.replace('X', name) }}", "a«Zoë ß»b"},
		{"{{ 'aXb' | replace('', '-') }}{{ name | replace('', '-') }}", "-a-X-b--«Z»-«o»-«ë»-« »-«ß»-"},
		{"{{ [name, 'x', name] | join('|') }}", "«Zoë ß»|x|«Zoë ß»"},
		{"{{ ('a' ~ name ~ 'b') | upper }}", "A«ZOË SS»B"},
		{"{{ ('ΑΣ' ~ name) | lower }}", "«ασzoë ß»"}, // another at the end of a word: not told apart
		{"{{ name * 2 ~ '!' * 2 }}", "«Zoë ßZoë ß»!!"},
		{"{{ '%s=%5.1f %s' % (name, 2, 'x') }}", "«Zoë ß»=  2.0 x"},
		{"{{ '{} {:>6} {}'.format(1, name, 'y') }}", "1 «» «Zoë ß» y"},
		{"{{ {'k': name, 'n': n} | tojson }}", `{"k": «"Zoë ß"», "n": 5}`},
		{"{{ [name, 'x'] }}", "[«'Zoë ß'», 'x']"},
		{"{% set x %}a{{ name }}b{% endset %}{{ x }}", "a«Zoë ß»b"},
		{"{% macro m(v) %}<{{ v }}>{% endmacro %}{{ m(name) | upper }}", "<«ZOË SS»>"},
		{"{% filter replace('a', '<a>') %}ba{{ name }}{% endfilter %}", "b<a>«Zoë ß»"},
		{"{{ name.split(' ') | join('+') }}{{ name.split(' ')[1] }}", "«Zoë»+«ßß»"},
		{"{{ ('x' ~ name) | indent(2, true) }}", "  x«Zoë ß»"},
		{"{{ name | center(9, ) }}|{{ name.ljust(7, '.') }}", "  «Zoë ß»  |«Zoë ß».."},
		{"{{ name | truncate(4, true, '.', 0) }}", "«Zoë»."},
		{"{{ ('<' ~ name ~ '>') | reverse }}", "«>ß ëoZ<»"},
		{"{{ name if name == 'Zoë ß' else 'x' }}{{ name | default('x') }}{{ gone | default('x') }}", "«Zoë ßZoë ß»x"},
		{"{% for c in name %}{{ c }}.{% endfor %}", "«Z».«o».«ë».« ».«ß»."},
		{"{{ {'user': 'User'}.get(messages[0].role, messages[0].role) }}", "User"},
		{"{{ ('<i>' ~ name) | escape }}{{ '<i>' | e }}", "«&lt;i&gt;Zoë ß»&lt;i&gt;"},
		{"{{ strftime_now('%Y') }}{{ strftime_now(name) }}", "2024«Zoë ß»"},
	} {
		tmpl, err := Parse("x", c.source)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		out, err := tmpl.Render(Input{Variables: vars, Tokens: map[string]string{"bos_token": "<s>"}, Now: func() time.Time { return time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC) }})
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		checkOutput(t, out)
		var b bytes.Buffer
		at := 0
		for _, s := range out.Untrusted {
			b.WriteString(out.Text[at:s.Start] + "«" + out.Text[s.Start:s.End] + "»")
			at = s.End
		}
		b.WriteString(out.Text[at:])
		if want := strings.ReplaceAll(c.want, "«»", ""); b.String() != want {
			t.Errorf("%s: found %s, expected %s", c.source, b.String(), want)
		}
	}
}
