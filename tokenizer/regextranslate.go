package tokenizer

import (
	"fmt"
	"strings"
)

// A regexTranslator writes an expression in the syntax of Oniguruma, the library's engine, in that
// of regexp2: possessive repetitions become atomic groups, classes in classes part of the outer
// one, \w and \h the sets that they are there.
// Source: doc/RE of kkos/oniguruma@v6.9.10, with its syntax ONIG_SYNTAX_RUBY.
type regexTranslator struct {
	in     string
	pos    int
	out    strings.Builder
	groups []int // where the open groups begin in out
	atom   int   // where the last thing that can be repeated begins in out
}

// \w and \h there: Alphabetic, Mark, Decimal_Number, Connector_Punctuation; outside of classes also
// the numbers of Latin-1.
const (
	regexWord   = `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}Ⓐ-ⓩ🄰-🅉🅐-🅩🅰-🆉`
	regexLatin1 = `²³¹¼-¾`
	regexHex    = `0-9A-Fa-f`
	regexBound  = `(?:(?<=[` + regexWord + `])(?![` + regexWord + `])|(?<![` + regexWord + `])(?=[` + regexWord + `]))`
)

// translateRegex translates an expression.
func translateRegex(re string) (string, error) {
	t := &regexTranslator{in: re}
	for t.pos < len(re) {
		c := re[t.pos]
		switch {
		case strings.IndexByte("?*+{", c) >= 0 && t.repetition():
			continue
		case c == '[':
			t.atom = t.out.Len()
			if err := t.class(false); err != nil {
				return "", err
			}
			continue
		case c == '\\':
			t.atom = t.out.Len()
			if err := t.escape(false); err != nil {
				return "", err
			}
			continue
		case c == '(':
			if err := t.group(); err != nil {
				return "", err
			}
			continue
		case c == ')' && len(t.groups) > 0:
			t.atom = t.groups[len(t.groups)-1]
			t.groups = t.groups[:len(t.groups)-1]
		case c < 0x80 || c >= 0xC0:
			t.atom = t.out.Len()
		}
		t.out.WriteByte(c)
		t.pos++
	}
	return t.out.String(), nil
}

// group copies the beginning of a group. Options other than i have other meanings there.
func (t *regexTranslator) group() error {
	t.groups = append(t.groups, t.out.Len())
	t.out.WriteByte('(')
	t.pos++
	rest := t.in[t.pos:]
	for _, ok := range []string{"?:", "?=", "?!", "?<=", "?<!", "?>", "?i:", "?i)"} {
		if strings.HasPrefix(rest, ok) {
			t.out.WriteString(strings.TrimSuffix(ok, ")"))
			t.pos += len(strings.TrimSuffix(ok, ")"))
			return nil
		}
	}
	if strings.HasPrefix(rest, "?") {
		return fmt.Errorf("found a group that begins with %.4q, expected (?: (?= (?! (?<= (?<! (?> (?i: (?i)", "("+rest)
	}
	return nil
}

// repetition copies a repetition; it reports false where a brace is none.
func (t *regexTranslator) repetition() bool {
	n := 1
	if t.in[t.pos] == '{' {
		n = strings.IndexByte(t.in[t.pos:], '}') + 1
		if n < 3 || strings.Trim(t.in[t.pos+1:t.pos+n-1], "0123456789,") != "" {
			return false
		}
	}
	atom, what := t.out.String()[t.atom:], t.in[t.pos:t.pos+n]
	before := t.out.String()[:t.atom]
	t.pos += n
	if t.pos == len(t.in) || t.in[t.pos] != '+' {
		t.out.WriteString(what)
		if t.pos < len(t.in) && t.in[t.pos] == '?' {
			t.out.WriteByte('?')
			t.pos++
		}
		return true
	}
	t.pos++
	t.out.Reset()
	t.out.WriteString(before)
	if what[0] == '{' { // not possessive: repeated once more
		t.out.WriteString("(?:" + atom + what + ")+")
	} else {
		t.out.WriteString("(?>" + atom + what + ")")
	}
	return true
}

// class copies a class, or with inner the contents of one in another.
func (t *regexTranslator) class(inner bool) error {
	t.pos++
	negated := strings.HasPrefix(t.in[t.pos:], "^")
	if negated && inner {
		return fmt.Errorf("found a negated class in a class")
	}
	if !inner {
		t.out.WriteByte('[')
		if negated {
			t.out.WriteByte('^')
			t.pos++
		}
	}
	for first := true; t.pos < len(t.in); first = false {
		rest := t.in[t.pos:]
		switch {
		case rest[0] == ']' && !first:
			t.pos++
			if !inner {
				t.out.WriteByte(']')
			}
			return nil
		case strings.HasPrefix(rest, "[:"):
			return fmt.Errorf("found %.8q, expected no named class", rest)
		case strings.HasPrefix(rest, "&&"):
			return fmt.Errorf("found &&, expected no intersection of classes")
		case rest[0] == '[':
			if err := t.class(true); err != nil {
				return err
			}
		case rest[0] == '\\':
			if err := t.escape(true); err != nil {
				return err
			}
		default:
			if rest[0] == ']' || strings.HasPrefix(rest, "-[") {
				t.out.WriteByte('\\')
			}
			t.out.WriteByte(rest[0])
			t.pos++
		}
	}
	return fmt.Errorf("a class has no end")
}

// escape copies an escape.
func (t *regexTranslator) escape(inClass bool) error {
	if t.pos+1 == len(t.in) {
		return fmt.Errorf("a backslash at the end")
	}
	c := t.in[t.pos+1]
	set := map[byte]string{'w': regexWord, 'W': regexWord, 'h': regexHex, 'H': regexHex}[c]
	t.pos += 2
	if set == regexWord && !inClass {
		set += regexLatin1
	}
	switch {
	case c == 'b' && !inClass:
		t.out.WriteString(regexBound)
	case c == 'B' && !inClass:
		t.out.WriteString("(?!" + regexBound + ")")
	case set == "":
		return t.plainEscape(c)
	case c < 'a' && inClass:
		return fmt.Errorf("found \\%c in a class, expected it outside", c)
	case c < 'a':
		t.out.WriteString("[^" + set + "]")
	case inClass:
		t.out.WriteString(set)
	default:
		t.out.WriteString("[" + set + "]")
	}
	return nil
}

// plainEscape copies an escape that both engines know, with the braces that belong to it.
func (t *regexTranslator) plainEscape(c byte) error {
	t.out.WriteByte('\\')
	if c != 'p' && c != 'P' || !strings.HasPrefix(t.in[t.pos:], "{") {
		t.out.WriteByte(c)
		return nil
	}
	n := strings.IndexByte(t.in[t.pos:], '}') + 1
	if n == 0 {
		return fmt.Errorf("a property has no end")
	}
	name := t.in[t.pos : t.pos+n]
	t.pos += n
	if strings.HasPrefix(name, "{^") {
		c ^= 'p' ^ 'P'
		name = "{" + name[2:]
	}
	t.out.WriteByte(c)
	t.out.WriteString(name)
	return nil
}
