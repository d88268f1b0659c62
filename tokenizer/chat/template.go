package chat

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

// A Template is a chat template. It is immutable and safe for concurrent use.
type Template struct {
	name   string
	body   []stmt
	blocks map[string]*blockStmt
}

// Input is what a template is rendered with.
type Input struct {
	// Variables is a JSON object: messages, tools, documents, add_generation_prompt and whatever else
	// the template takes. Where they are missing, tools and documents are None and
	// add_generation_prompt is False.
	Variables json.RawMessage
	// Tokens are the tokenizer's special tokens by their names in its configuration, such as
	// bos_token. Variables of the same name come first.
	Tokens map[string]string
	// Now is the time that strftime_now tells; nil is the system's local time.
	Now func() time.Time
	// Limits bound the work; zero values are the defaults.
	Limits Limits
}

// Limits bound what one rendering may do. Deeper nesting than 200 of calls and of values, integers of
// more than 16384 bits and ranges of more than 100,000 numbers are errors whatever the limits.
type Limits struct {
	Steps  int // expressions and iterations; the default is a million and 16 for each byte of the input
	Bytes  int // bytes of all strings and lists made; the default is 64 MiB and 64 times the input
	Output int // bytes of the result; the default is 16 MiB
}

// Output is a rendered conversation.
type Output struct {
	Text string
	// Untrusted are the parts of Text that come from the variables, in bytes, in order and apart from
	// each other.
	Untrusted []Span
	// Generation are the parts that the template's generation blocks have written, in code points.
	Generation []Span
}

// A Span is a part of a text, from Start up to End.
type Span struct{ Start, End int }

// Parse reads a template. The name is for error messages, which are of type [*Error].
func Parse(name, source string) (t *Template, err error) {
	line := 1
	defer caught(&err, name, &line)
	t = &Template{name: name}
	t.body, t.blocks = parse(source)
	return t, nil
}

// Render renders the template. Errors of the template are of type [*Error].
func (t *Template) Render(in Input) (out *Output, err error) {
	vars, err := decodeVariables(in.Variables)
	if err != nil {
		return nil, err
	}
	m := newMachine(t, in)
	defer caught(&err, t.name, &m.line)
	for name, content := range in.Tokens {
		m.root.set(name, text(content))
	}
	for i, name := range vars.keys {
		m.root.set(name.(*str).s, vars.vals[i])
	}
	m.out = m.builder()
	m.main = m.out
	m.scope = m.root
	m.run(t.body)
	s := m.out.str()
	return &Output{s.s, s.untrusted, m.spans(s.s)}, nil
}

// spans returns the parts written by generation blocks, in code points.
func (m *machine) spans(text string) []Span {
	var spans []Span
	at, points := 0, 0
	for _, g := range m.generated {
		points += utf8.RuneCountInString(text[at:g.at])
		at = g.at
		spans = append(spans, Span{Start: points, End: points + g.points})
	}
	return spans
}
