package chat

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// The case mappings are the full ones, which can change the number of characters.

// recased returns s in another case. Characters are mapped one by one where s is ASCII.
func (m *machine) recased(s *str, ascii func(s string) string, full func(s string) string) *str {
	m.grow(len(s.s))
	if s.ascii() {
		return (&str{s: ascii(s.s), untrusted: s.untrusted}).as(s)
	}
	t := full(s.s)
	m.grow(len(t))
	if len(s.untrusted) == 1 && s.untrusted[0].End-s.untrusted[0].Start == len(s.s) || len(s.untrusted) == 0 {
		return marked(t, s).as(s)
	}
	return m.parts(s, full)
}

// parts maps the trusted and the untrusted parts of s for themselves if that gives the same as
// mapping all of it; if not, the result is untrusted.
func (m *machine) parts(s *str, full func(s string) string) *str {
	b := m.builder()
	at := 0
	for _, p := range s.untrusted {
		b.text(full(s.s[at:p.Start]))
		b.like(full(s.s[p.Start:p.End]), s)
		at = p.End
	}
	b.text(full(s.s[at:]))
	if t := full(s.s); t != string(b.b) {
		return marked(t, s).as(s)
	}
	return b.str().as(s)
}

func upperText(s string) string { return cases.Upper(language.Und).String(s) }

func lowerText(s string) string {
	var b strings.Builder
	for i, r := range s {
		b.WriteString(lowerRune(s, i, r))
	}
	return b.String()
}

// lowerRune is the character r at s[i] in lower case.
func lowerRune(s string, i int, r rune) string {
	switch {
	case r == 'İ':
		return "i\u0307"
	case r == 'Σ' && endsWord(s[:i], s[i+len("Σ"):]):
		return "ς"
	}
	return string(unicode.ToLower(r))
}

// endsWord reports whether a letter is the last of its word: the next character with a case before
// it is one, and there is none after it, characters that do not count left out.
// Source: Unicode 16, section 3.13, Final_Sigma.
func endsWord(before, after string) bool {
	before = strings.TrimRightFunc(before, ignorable)
	after = strings.TrimLeftFunc(after, ignorable)
	last, _ := utf8.DecodeLastRuneInString(before)
	next, _ := utf8.DecodeRuneInString(after)
	return cased(last) && !cased(next)
}

func ignorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·‘’․", r)
}

// titleRune is a character at the beginning of a word.
func titleRune(r rune) string {
	if t := unicode.ToTitle(r); t != r || r < utf8.RuneSelf {
		return string(t)
	}
	s := upperText(string(r))
	if first, size := utf8.DecodeRuneInString(s); unicode.IsLetter(first) && r != 'ŉ' {
		return string(first) + lowerText(s[size:])
	}
	return s
}

func (m *machine) upper(s *str) *str { return m.recased(s, strings.ToUpper, upperText) }

func (m *machine) lower(s *str) *str { return m.recased(s, strings.ToLower, lowerText) }

func (m *machine) capitalize(s *str) *str {
	capital := func(s string) string {
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 {
			return ""
		}
		return titleRune(r) + lowerText(s[size:])
	}
	_, size := utf8.DecodeRuneInString(s.s)
	b := m.builder()
	b.add(m.recased(s.bytes(0, size), capital, capital))
	b.add(m.lower(s.bytes(size, len(s.s))))
	return b.str().as(s)
}

// titled begins every run of letters with a capital.
func (m *machine) titled(s *str) *str {
	title := func(s string) string {
		var b strings.Builder
		inside := false
		for i, r := range s {
			switch {
			case !cased(r):
				b.WriteRune(r)
			case !inside:
				b.WriteString(titleRune(r))
			default:
				b.WriteString(lowerRune(s, i, r))
			}
			inside = cased(r)
		}
		return b.String()
	}
	return m.recased(s, title, title)
}

func (m *machine) swapped(s *str) *str {
	swap := func(s string) string {
		var b strings.Builder
		for i, r := range s {
			if isUpper(r) {
				b.WriteString(lowerRune(s, i, r))
			} else {
				b.WriteString(upperText(string(r)))
			}
		}
		return b.String()
	}
	return m.recased(s, swap, swap)
}

func isUpper(r rune) bool { return unicode.IsUpper(r) || unicode.Is(unicode.Other_Uppercase, r) }

func isLower(r rune) bool { return unicode.IsLower(r) || unicode.Is(unicode.Other_Lowercase, r) }

func cased(r rune) bool { return isUpper(r) || isLower(r) || unicode.IsTitle(r) }

// isCased reports whether there is a cased character and all of them are of one case.
func isCased(s string, upper bool) bool {
	found := false
	for _, r := range s {
		switch {
		case unicode.IsTitle(r), isUpper(r) && !upper, isLower(r) && upper:
			return false
		case cased(r):
			found = true
		}
	}
	return found
}

// isTitled is Python's str.istitle.
func isTitled(s string) bool {
	inside, found := false, false
	for _, r := range s {
		if upper := isUpper(r) || unicode.IsTitle(r); cased(r) && upper == inside {
			return false
		}
		inside = cased(r)
		found = found || inside
	}
	return found
}

// otherDigits are digits that are no decimal ones, such as superscripts.
var otherDigits = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0xb2, 0xb3, 1}, {0xb9, 0xb9, 1}, {0x1369, 0x1371, 1}, {0x19da, 0x19da, 1}, {0x2070, 0x2070, 1}, {0x2074, 0x2079, 1},
		{0x2080, 0x2089, 1}, {0x2460, 0x2468, 1}, {0x2474, 0x247c, 1}, {0x2488, 0x2490, 1}, {0x24ea, 0x24ea, 1},
		{0x24f5, 0x24fd, 1}, {0x24ff, 0x24ff, 1}, {0x2776, 0x277e, 1}, {0x2780, 0x2788, 1}, {0x278a, 0x2792, 1},
	},
	R32: []unicode.Range32{{0x10a40, 0x10a43, 1}, {0x10e60, 0x10e68, 1}, {0x11052, 0x1105a, 1}, {0x1f100, 0x1f10a, 1}},
}

// every reports whether s has characters and f holds for all.
func every(s string, f func(r rune) bool) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !f(r) }) < 0
}
