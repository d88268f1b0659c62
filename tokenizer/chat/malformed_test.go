package chat

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Malformed templates are refused when they are parsed, with the line and what stands there.
func TestMalformed(t *testing.T) {
	for _, c := range []struct {
		source  string
		line    int
		token   string
		message string
	}{
		{"a\n{{ x", 2, "", "expected '}}'"},
		{"{{", 1, "", "expected an expression"},
		{"{{ }}", 1, "}}", "expected an expression"},
		{"{{ 1 + }}", 1, "}}", "expected an expression"},
		{"{{ a b }}", 1, "b", "expected '}}'"},
		{"{{ (1 }}", 1, "}", "expected ')' first"},
		{"{{ 1) }}", 1, ")", "nothing is open"},
		{"{{ [1, 2) }}", 1, ")", "expected ']' first"},
		{"{{ {'a' 1} }}", 1, "1", "expected ':'"},
		{"{{ [1,,2] }}", 1, ",", "expected an expression"},
		{"{{ f(1 2) }}", 1, "2", "expected ','"},
		{"{{ f(a=1, 2) }}", 1, "2", "wrong place"},
		{"{{ f(*a, *b) }}", 1, "*", "wrong place"},
		{"{{ 'abc }}", 1, "'", "no end"},
		{"{{ '\\x4' }}", 1, "\\x4", "cut short"},
		{"{{ '\\N{DASH}' }}", 1, "\\N", "by name"},
		{"{{ a ? b }}", 1, "?", "unexpected character"},
		{"{{ " + strings.Repeat("9", 5000) + " }}", 1, "99999999999999999999", "too long"},
		{"{{ x. }}", 1, "}}", "expected a name"},
		{"{{ l[1:2, 3] }}", 1, "}}", "slice"},
		{"{{ x | }}", 1, "}}", "expected a name"},
		{"{{ x | nosuch }}", 1, "nosuch", "no filter"},
		{"{% if false %}\n{{ x | nosuch }}{% endif %}", 2, "nosuch", "no filter"},
		{"{{ x is nosuch }}", 1, "nosuch", "no test"},
		{"{{ x is odd is even }}", 1, "is", "follow one another"},
		{"{{ x is string is false }}", 1, "is", "follow one another"},
		{"\n{% nosuch %}", 2, "nosuch", "no such tag"},
		{"{% %}", 1, "%}", "name of a tag"},
		{"{% if x %}\n\n", 1, "if", "not closed"},
		{"{% for x in y %}{% if z %}{% endfor %}", 1, "endfor", "{% if %} is open"},
		{"{% endif %}", 1, "endif", "nothing is open"},
		{"{% for x y %}{% endfor %}", 1, "y", "expected 'in'"},
		{"{% for x in %}{% endfor %}", 1, "%}", "expected an expression"},
		{"{% for loop in y %}{% endfor %}", 1, "for", "cannot be the variable"},
		{"{% set %}", 1, "%}", "expected a name"},
		{"{% set true = 1 %}", 1, "true", "cannot be assigned"},
		{"{% set a.b.c = 1 %}", 1, ".", "expected '%}'"},
		{"{% macro m(a=1, b) %}{% endmacro %}", 1, "b", "without a default"},
		{"{% macro m(a, a) %}{% endmacro %}", 1, "a", "two parameters"},
		{"{% call 5 %}{% endcall %}", 1, "5", "expected a call"},
		{"{% break %}", 1, "break", "outside of a loop"},
		{"{% for x in y %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}", 1, "continue", "outside of a loop"},
		{"{% block a %}{% endblock %}{% block a %}{% endblock %}", 1, "a", "defined twice"},
		{"{% block a required %}{% endblock %}", 1, "a", "required"},
		{"{# never ends", 1, "{#", "no end"},
		{"{% raw %} never ends", 1, "{% raw", "no end"},
		{"{% do x.append(1) %}", 1, "do", "no such tag"},
		{"{{ (" + strings.Repeat("(", 5000) + " }}", 1, "(", "too deep"},
		{"{{ " + strings.Repeat("[", 100000) + " }}", 1, "[", "too deep"},
		{"{{ " + strings.Repeat("not ", 60000) + "1 }}", 1, "not", "too deep"},
		{"{{ " + strings.Repeat("-", 100000) + "1 }}", 1, "-", "too deep"},
		{strings.Repeat("{% if x %}", 20000), 1, "x", "too deep"},
		{"{{ 1" + strings.Repeat("+1", 100000) + " }}", 1, "+", "too many operators"},
		{"{{ x" + strings.Repeat("|abs", 50000) + " }}", 1, "|", "too many operators"},
		{"{{ x" + strings.Repeat(".x", 100000) + " }}", 1, ".", "too many operators"},
		{strings.Repeat("x", maxTemplate+1), 1, "", "larger than"},
	} {
		start := time.Now()
		_, err := Parse("file.jinja", c.source)
		if d := time.Since(start); d > 50*time.Millisecond && !raceEnabled {
			t.Errorf("%.60q takes %v", c.source, d)
		}
		var e *Error
		if !errors.As(err, &e) || e.Kind != Syntax || e.File != "file.jinja" || e.Line != c.line || e.Token != c.token || !strings.Contains(e.Message, c.message) {
			t.Errorf("%.60q: found %v, expected line %d, token %q, %q", c.source, err, c.line, c.token, c.message)
		}
	}
}

// Templates that would take forever or all memory end with an error.
func TestLimits(t *testing.T) {
	loops := strings.Repeat("{% for x in range(100000) %}", 6) + "x" + strings.Repeat("{% endfor %}", 6)
	double := func(first, op string, n int) string {
		return "{% set ns = namespace(x=" + first + ") %}{% for i in range(" + formatInt(int64(n)) + ") %}{% set ns.x = " + op + " %}{% endfor %}"
	}
	deep := double("[]", "[ns.x]", 90000)
	for _, source := range []string{
		loops,
		"{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
		"{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
		"{% block b %}{{ self.b() }}{% endblock %}",
		"{{ 'a' * 10**9 }}",
		"{{ [0] * 10**9 }}",
		"{{ ('a' * 1000000)|replace('a', 'b' * 1000000) }}",
		"{{ ('a' * 1000000)|replace('', 'b' * 1000000) }}",
		double("'a'", "ns.x ~ ns.x", 100),
		double("'a'", "ns.x + ns.x", 100),
		double("[1]", "ns.x + ns.x", 100),
		double("3", "ns.x * ns.x", 100),
		double("[1]", "[ns.x, ns.x]", 60) + "{{ ns.x }}",
		double("[1]", "[ns.x, ns.x]", 60) + "{{ ns.x|tojson }}",
		double("[1]", "[ns.x, ns.x]", 60) + "{{ ns.x == [ns.x, 1] or ns.x == ns.x|list }}",
		double("[1]", "[ns.x, ns.x]", 60) + "{{ ns.x < ns.x|list }}",
		deep + "{{ ns.x }}",
		deep + "{{ ns.x|tojson }}",
		deep + "{{ ns.x|pprint }}",
		deep + "{{ ns.x == [ns.x] }}",
		double("{}", "{'a': ns.x}", 90000) + "{{ ns.x|pprint }}",
		double("()", "(ns.x,)", 90000) + "{{ {ns.x: 1} }}",
		double("[]", "ns.x|map('list')", 90000) + "{{ ns.x|list }}",
		"{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
		"{{ 2 ** 100000 }}",
		"{{ (2 ** 16000) * (2 ** 16000) }}",
		"{{ '%1000000000d' % 1 }}",
		"{{ '%*d' % (1000000000, 1) }}",
		"{{ '{:1000000000}'.format(1) }}",
		"{{ '{:.1000000000f}'.format(1.0) }}",
		"{{ 'a'.center(10**9) }}",
		"{{ 'a'.zfill(10**9) }}",
		"{{ 'a\tb'.expandtabs(10**9) }}",
		"{{ 'a\nb'|indent(10**9) }}",
		"{{ [1]|tojson(indent=10**9) }}",
		"{{ [1]|batch(10**9, 'x')|list }}",
		"{{ [1]|slice(10**9)|list }}",
		"{{ range(10**9) }}",
		"{{ range(100000)|map('string')|join('x' * 100000) }}",
		"{% for x in range(100000) %}{{ 'a' * 1000 }}{% endfor %}",
		"{% for x in range(100000) %}" + strings.Repeat("a", 1000) + "{% endfor %}",
		"{% set s = 'a' * 10000000 %}{% for x in range(1000) %}{% set t = s[1:] ~ s %}{% endfor %}",
		"{% set s = 'a' * 5000000 %}{{ s|list|length }}{{ s|list|length }}{{ s.split('a')|length }}",
	} {
		tmpl, err := Parse("x", source)
		if err != nil {
			t.Errorf("%.80q: %v", source, err)
			continue
		}
		start := time.Now()
		in := Input{}
		if raceEnabled { // which is slow
			in.Limits = Limits{Steps: 100_000, Bytes: 4 << 20}
		}
		_, err = tmpl.Render(in)
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%.80q takes %v", source, d)
		} else if testing.Verbose() && d > 100*time.Millisecond {
			t.Logf("%.80q takes %v", source, d)
		}
		var e *Error
		if !errors.As(err, &e) || e.Kind != Limit && e.Kind != Runtime {
			t.Errorf("%.80q: found %v, expected an error of limits", source, err)
		}
	}
}

func TestLimitsAreTheCallers(t *testing.T) {
	tmpl, err := Parse("x", "{% for x in range(100) %}{{ 'abcdefghij' }}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tmpl.Render(Input{Limits: Limits{Output: 1000, Bytes: 5000, Steps: 1000}}); err != nil {
		t.Error(err)
	}
	for _, l := range []Limits{{Output: 999}, {Bytes: 999}, {Steps: 99}} {
		if _, err := tmpl.Render(Input{Limits: l}); err == nil {
			t.Errorf("%+v: no error", l)
		}
	}
}

// Broken variables are refused.
func TestVariables(t *testing.T) {
	tmpl, err := Parse("x", "{{ messages }}")
	if err != nil {
		t.Fatal(err)
	}
	for _, vars := range []string{"[", "[]", "5", `{"a"}`, `{"a":1} x`, `{"a":` + strings.Repeat("[", 300) + strings.Repeat("]", 300) + "}",
		`{"a":` + strings.Repeat("1", 5000) + "}", `{"a":"` + "\n" + `"}`} {
		if _, err := tmpl.Render(Input{Variables: []byte(vars)}); err == nil || !strings.HasPrefix(err.Error(), "chat: variables: ") {
			t.Errorf("%.40q: found %v", vars, err)
		}
	}
	out, err := tmpl.Render(Input{Variables: []byte(` { "messages" : [ 1 , -0, 2.50 , 1e3, 1E400, "\u00e9\ud83d\ude00\ud800\"", {"b":{ }, "a":[ ],"b":null} , true,false, 12345678901234567890 ] } `)})
	if want := `[1, 0, 2.5, 1000.0, inf, 'é😀�"', {'b': None, 'a': []}, True, False, 12345678901234567890]`; err != nil || out.Text != want {
		t.Errorf("found %v, %v\nexpected %s", out, err, want)
	}
}

func TestErrorText(t *testing.T) {
	for source, want := range map[string]string{
		"a\n{{ x }":                                   `chat: t.jinja: line 2: at "}": nothing is open that this could close`,
		"\n\n{{ raise_exception('no ' ~ 1) }}":        "chat: t.jinja: line 3: no 1",
		"{% for x in [1] %}\n{{ x.y.z }}{% endfor %}": "chat: t.jinja: line 2: 'int object' has no attribute 'y'",
		"{{ [1].append(2) }}":                         "chat: t.jinja: line 1: access to attribute 'append' of 'list' object is unsafe",
	} {
		tmpl, err := Parse("t.jinja", source)
		if err == nil {
			_, err = tmpl.Render(Input{})
		}
		if err == nil || err.Error() != want {
			t.Errorf("%q: found %v, expected %s", source, err, want)
		}
	}
}
