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
	return cases.Lower(language.Und, cases.HandleFinalSigma(true)).String(s)
}

// titleRune is a character at the beginning of a word.
func titleRune(r rune) string {
	if r < utf8.RuneSelf {
		return string(unicode.ToUpper(r))
	}
	if s := upperText(string(r)); utf8.RuneCountInString(s) > 1 {
		first, size := utf8.DecodeRuneInString(s)
		return string(first) + lowerText(s[size:])
	}
	return string(unicode.ToTitle(r))
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
			case r == 'Σ':
				b.WriteString(finalSigma(s, i))
			default:
				b.WriteString(lowerText(string(r)))
			}
			inside = cased(r)
		}
		return b.String()
	}
	return m.recased(s, title, title)
}

// finalSigma is the capital sigma at s[i] in lower case, which at the end of a word is another.
func finalSigma(s string, i int) string {
	l := lowerText(s)
	low, _ := utf8.DecodeLastRuneInString(l[:len(lowerText(s[:i]+"Σ"))])
	if strings.HasPrefix(l[len(lowerText(s[:i])):], "σ") {
		low = 'σ'
	}
	return string(low)
}

func (m *machine) swapped(s *str) *str {
	swap := func(s string) string {
		var b strings.Builder
		for _, r := range s {
			if unicode.IsUpper(r) {
				b.WriteString(lowerText(string(r)))
			} else {
				b.WriteString(upperText(string(r)))
			}
		}
		return b.String()
	}
	return m.recased(s, swap, swap)
}

func cased(r rune) bool { return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r) }

// isCased reports whether there is a cased character and all of them are of one case.
func isCased(s string, upper bool) bool {
	found := false
	for _, r := range s {
		switch {
		case unicode.IsTitle(r), unicode.IsUpper(r) && !upper, unicode.IsLower(r) && upper:
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
		if upper := unicode.IsUpper(r) || unicode.IsTitle(r); cased(r) && upper == inside {
			return false
		}
		inside = cased(r)
		found = found || inside
	}
	return found
}

// every reports whether s has characters and f holds for all.
func every(s string, f func(r rune) bool) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return !f(r) }) < 0
}
