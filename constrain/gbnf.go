package constrain

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// GBNF compiles a grammar in the language of llama.cpp: rules "name ::= ...", of which root is the
// text, with literals, character classes, the dot, groups, alternatives, * + ? {m} {m,} {m,n} and
// comments. Rules may recur, but not before they read anything.
//
// Source: grammars/README.md in ggml-org/llama.cpp.
func GBNF(grammar string) (*Grammar, error) {
	const kind = "grammar"
	if err := checkSize(kind, len(grammar)); err != nil {
		return nil, err
	}
	p := &gbnf{text: grammar, b: newBuilder(), rules: map[string]*gbnfRule{}}
	if err := p.parse(); err != nil {
		return nil, fmt.Errorf("constrain: %s: line %d: %w", kind, 1+strings.Count(grammar[:min(p.at, len(grammar))], "\n"), err)
	}
	for _, name := range p.order {
		r := p.rules[name]
		if r.body == nil {
			return nil, fmt.Errorf("constrain: %s: line %d: rule %s is used and not defined; define it", kind, r.line, name)
		}
		p.b.body(r.index, r.body)
	}
	root := p.rules["root"]
	if root == nil {
		return nil, fmt.Errorf("constrain: %s: no rule is named root; name the whole text's rule so", kind)
	}
	g, err := newGrammar(kind, p.b, root.index)
	if err == nil && g.Shortest() >= never {
		return nil, fmt.Errorf("constrain: %s: no finite text is derived from root; give its recursion an alternative that ends", kind)
	}
	return g, err
}

// gbnf parses a grammar.
type gbnf struct {
	text  string
	at    int
	depth int
	b     *builder
	rules map[string]*gbnfRule
	order []string
}

type gbnfRule struct {
	index, line int
	body        *expr
}

func (p *gbnf) parse() error {
	if !utf8.ValidString(p.text) {
		return fmt.Errorf("not UTF-8; store it as UTF-8")
	}
	for p.space(true); p.at < len(p.text); p.space(true) {
		name := p.name()
		if name == "" {
			return p.unexpected("a rule's name")
		}
		p.space(false)
		if !p.skip("::=") {
			return p.unexpected("::= after " + name)
		}
		p.space(true)
		r := p.rule(name)
		if r.body != nil {
			return fmt.Errorf("rule %s is defined twice; join the two with |", name)
		}
		body, err := p.alternatives(false)
		if err != nil {
			return err
		}
		r.body = body
		if p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '\r' {
			return p.unexpected("the end of the rule, or |")
		}
	}
	return nil
}

// rule returns the rule of a name, new or not.
func (p *gbnf) rule(name string) *gbnfRule {
	r := p.rules[name]
	if r == nil {
		r = &gbnfRule{index: p.b.define(name), line: 1 + strings.Count(p.text[:p.at], "\n")}
		p.rules[name] = r
		p.order = append(p.order, name)
	}
	return r
}

func (p *gbnf) unexpected(want string) error {
	found := "the end"
	if p.at < len(p.text) {
		r, _ := utf8.DecodeRuneInString(p.text[p.at:])
		found = strconv.QuoteRune(r)
	}
	return fmt.Errorf("found %s, expected %s", found, want)
}

func (p *gbnf) skip(s string) bool {
	if strings.HasPrefix(p.text[p.at:], s) {
		p.at += len(s)
		return true
	}
	return false
}

// space passes over blanks and comments, and line ends where they mean nothing.
func (p *gbnf) space(lines bool) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t', lines && (c == '\n' || c == '\r'):
			p.at++
		case c == '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' && p.text[p.at] != '\r' {
				p.at++
			}
		default:
			return
		}
	}
}

func (p *gbnf) name() string {
	from := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_') {
			break
		}
		p.at++
	}
	return p.text[from:p.at]
}

// alternatives parses sequences separated by bars; within a group, line ends mean nothing. After a
// line end a bar still continues the rule.
func (p *gbnf) alternatives(group bool) (*expr, error) {
	if p.depth++; p.depth > MaxGroupDepth {
		return nil, fmt.Errorf("more than %d groups within one another; make rules of some", MaxGroupDepth)
	}
	defer func() { p.depth-- }()
	var alts []*expr
	for {
		e, err := p.sequence(group)
		if err != nil {
			return nil, err
		}
		alts = append(alts, e)
		before := p.at
		p.space(true)
		if !p.skip("|") {
			if !group {
				p.at = before
			}
			return alt(alts...), nil
		}
		p.space(true)
	}
}

func (p *gbnf) sequence(group bool) (*expr, error) {
	var subs []*expr
	for p.at < len(p.text) {
		var e *expr
		var err error
		switch c := p.text[p.at]; {
		case c == '"':
			e, err = p.literal()
		case c == '[':
			e, err = p.class()
		case c == '.':
			p.at++
			e = charClass([]runeRange{anyRune})
		case c == '(':
			e, err = p.group()
		case c == '<' || c == '!':
			return nil, fmt.Errorf("references to tokens cannot be enforced; write the text in quotes")
		default:
			name := p.name()
			if name == "" {
				return seq(subs...), nil
			}
			e = call(p.rule(name).index)
		}
		if err == nil {
			p.space(group)
			e, err = p.repeated(e, group)
		}
		if err != nil {
			return nil, err
		}
		subs = append(subs, e)
	}
	return seq(subs...), nil
}

func (p *gbnf) group() (*expr, error) {
	p.at++
	p.space(true)
	e, err := p.alternatives(true)
	if err != nil {
		return nil, err
	}
	if !p.skip(")") {
		return nil, p.unexpected(") to close the group")
	}
	return e, nil
}

// literal parses a text in quotes. A repetition after it repeats all of it.
func (p *gbnf) literal() (*expr, error) {
	var b []byte
	for p.at++; ; {
		if p.skip(`"`) {
			return lit(string(b)), nil
		}
		r, err := p.char(`"`)
		if err != nil {
			return nil, err
		}
		b = utf8.AppendRune(b, r)
	}
}

// class parses a set of characters in brackets.
func (p *gbnf) class() (*expr, error) {
	p.at++
	negated := p.skip("^")
	var ranges []runeRange
	for !p.skip("]") {
		lo, err := p.char("]")
		if err != nil {
			return nil, err
		}
		hi := lo
		if strings.HasPrefix(p.text[p.at:], "-") && !strings.HasPrefix(p.text[p.at:], "-]") {
			p.at++
			if hi, err = p.char("]"); err != nil {
				return nil, err
			}
		}
		if hi < lo {
			return nil, fmt.Errorf("the range %q-%q is empty; write the lower character first", lo, hi)
		}
		ranges = append(ranges, runeRange{lo, hi})
	}
	ranges = normal(ranges)
	if negated {
		ranges = invert(ranges)
	}
	return charClass(ranges), nil
}

// char reads a character of a literal or a class.
func (p *gbnf) char(closing string) (rune, error) {
	r, n := utf8.DecodeRuneInString(p.text[p.at:])
	if n == 0 {
		return 0, p.unexpected(closing)
	}
	p.at += n
	if r != '\\' {
		return r, nil
	}
	if p.at == len(p.text) {
		return 0, p.unexpected("what the backslash escapes")
	}
	c := p.text[p.at]
	p.at++
	switch c {
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case '\\', '"', '[', ']', '-', '^':
		return rune(c), nil
	}
	digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
	if digits == 0 {
		return 0, fmt.Errorf(`unknown escape \%c; use \n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH`, c)
	}
	to := min(p.at+digits, len(p.text))
	code, err := strconv.ParseUint(p.text[p.at:to], 16, 32)
	if err != nil || to-p.at < digits || code > utf8.MaxRune || code >= 0xd800 && code < 0xe000 {
		return 0, fmt.Errorf(`\%c%s: expected %d hexadecimal digits of a code point`, c, p.text[p.at:to], digits)
	}
	p.at = to
	return rune(code), nil
}

// repeated parses the repetitions after an element.
func (p *gbnf) repeated(e *expr, group bool) (*expr, error) {
	for {
		lo, hi := 0, -1
		switch {
		case p.skip("*"):
		case p.skip("+"):
			lo = 1
		case p.skip("?"):
			hi = 1
		case p.skip("{"):
			var err error
			if lo, hi, err = p.bounds(); err != nil {
				return nil, err
			}
		default:
			return e, nil
		}
		e = repeat(e, lo, hi)
		if p.depth++; p.depth > 2*MaxGroupDepth {
			return nil, fmt.Errorf("more than %d repetitions of one another; one is enough", MaxGroupDepth)
		}
		defer func() { p.depth-- }()
		p.space(group)
	}
}

func (p *gbnf) bounds() (lo, hi int, err error) {
	inside, _, ok := strings.Cut(p.text[p.at:], "}")
	if !ok {
		return 0, 0, p.unexpected("a repetition such as {2,5}")
	}
	left, right, comma := strings.Cut(inside, ",")
	left, right = strings.TrimSpace(left), strings.TrimSpace(right)
	number := func(s string, empty int) (n int) {
		if s == "" && comma {
			return empty
		}
		u, e := strconv.ParseUint(s, 10, 31)
		if e != nil {
			err = fmt.Errorf("{%s}: expected {m}, {m,}, {,n} or {m,n}", clipped(inside))
		}
		return int(u)
	}
	lo = number(left, 0)
	if hi = lo; comma {
		hi = number(right, -1)
	}
	if err == nil && (lo > maxInsts || hi > maxInsts) {
		err = fmt.Errorf("{%s}: expected at most %d repetitions", inside, maxInsts)
	}
	if err == nil && hi >= 0 && hi < lo {
		err = fmt.Errorf("{%s}: the second number is the smaller one; exchange them", inside)
	}
	p.at += len(inside) + 1
	return lo, hi, err
}
