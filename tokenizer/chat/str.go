package chat

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// str is a string: valid UTF-8, with the parts of it that come from outside the template.
type str struct {
	s         string
	untrusted []Span // in order, apart from each other, none empty
	safe      bool   // HTML that needs no escaping
}

// text returns a trusted string.
func text(s string) *str { return &str{s: s} }

// marked returns a string that is untrusted as a whole if one of the strings it was made of is so
// in part.
func marked(s string, from ...*str) *str {
	for _, f := range from {
		if len(f.untrusted) > 0 && s != "" {
			return &str{s: s, untrusted: []Span{{Start: 0, End: len(s)}}}
		}
	}
	return &str{s: s}
}

// as returns s, marked like t as HTML or not.
func (s *str) as(t *str) *str {
	if s.safe == t.safe {
		return s
	}
	return &str{s.s, s.untrusted, t.safe}
}

// plain returns s without the mark of HTML.
func (s *str) plain() *str {
	return s.as(&str{})
}

func (s *str) ascii() bool {
	for i := range len(s.s) {
		if s.s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// length counts the code points.
func (s *str) length() int { return utf8.RuneCountInString(s.s) }

// offset returns the byte at which code point n begins, the length if there are fewer.
func (s *str) offset(n int) int {
	if s.ascii() {
		return min(n, len(s.s))
	}
	for i := range s.s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s.s)
}

// bytes returns the part of s from byte i up to byte j.
func (s *str) bytes(i, j int) *str {
	if i == 0 && j == len(s.s) {
		return s
	}
	sub := &str{s: s.s[i:j], safe: s.safe}
	for _, p := range s.untrusted {
		if from, to := max(p.Start, i), min(p.End, j); from < to {
			sub.untrusted = append(sub.untrusted, Span{Start: from - i, End: to - i})
		}
	}
	return sub
}

// slice returns the code points from up to to.
func (s *str) slice(from, to int) *str {
	i := s.offset(from)
	if to <= from {
		return s.bytes(i, i)
	}
	rest := str{s: s.s[i:]}
	return s.bytes(i, i+rest.offset(to-from))
}

// trim drops characters at the ends of s.
func (s *str) trim(left, right bool, drop func(r rune) bool) *str {
	i, j := 0, len(s.s)
	if left {
		i = j - len(strings.TrimLeftFunc(s.s, drop))
	}
	if right {
		j = i + len(strings.TrimRightFunc(s.s[i:], drop))
	}
	return s.bytes(i, j)
}

// A builder puts strings together.
type builder struct {
	m         *machine
	b         []byte
	untrusted []Span
}

func (m *machine) builder() *builder { return &builder{m: m} }

// add appends a string.
func (b *builder) add(s *str) {
	b.m.grow(len(s.s))
	at := len(b.b)
	b.b = append(b.b, s.s...)
	for _, p := range s.untrusted {
		b.mark(at+p.Start, at+p.End)
	}
}

// text appends a trusted text.
func (b *builder) text(s string) {
	b.m.grow(len(s))
	b.b = append(b.b, s...)
}

// mark makes the last bytes untrusted.
func (b *builder) mark(from, to int) {
	if last := len(b.untrusted) - 1; last >= 0 && b.untrusted[last].End >= from {
		b.untrusted[last].End = max(to, b.untrusted[last].End)
	} else if from < to {
		b.untrusted = append(b.untrusted, Span{Start: from, End: to})
	}
}

// like appends text, untrusted if s is so in part.
func (b *builder) like(text string, s *str) {
	at := len(b.b)
	b.text(text)
	if len(s.untrusted) > 0 {
		b.mark(at, len(b.b))
	}
}

// str returns what was put together.
func (b *builder) str() *str { return &str{s: string(b.b), untrusted: b.untrusted} }

// join returns strings with a separator between them.
func (m *machine) join(separator *str, parts []*str) *str {
	if len(parts) == 1 && !separator.safe {
		return parts[0]
	}
	b := m.builder()
	for i, p := range parts {
		if i > 0 {
			b.add(separator)
		}
		b.add(p)
	}
	return b.str()
}

// repeat returns n copies of s.
func (m *machine) repeat(s *str, n int) *str {
	if n <= 0 || s.s == "" {
		return (&str{}).as(s)
	}
	m.grow(min(n, m.bytes/len(s.s)+1) * len(s.s))
	b := builder{m: m, b: make([]byte, 0, n*len(s.s))}
	for range n {
		b.b = append(b.b, s.s...)
	}
	for i := 0; i < n && len(s.untrusted) > 0; i++ {
		for _, p := range s.untrusted {
			b.mark(i*len(s.s)+p.Start, i*len(s.s)+p.End)
		}
	}
	return b.str().as(s)
}

// replace replaces the first n occurrences of old, all if n is negative.
func (m *machine) replace(s, old, by *str, n int) *str {
	if n == 0 || old.s != "" && !strings.Contains(s.s, old.s) {
		return s
	}
	if old.s == "" {
		return m.spread(s, by, n)
	}
	b := m.builder()
	at := 0
	for ; n != 0; n-- {
		i := strings.Index(s.s[at:], old.s)
		if i < 0 {
			break
		}
		m.step()
		b.add(s.bytes(at, at+i))
		b.add(by)
		at += i + len(old.s)
	}
	b.add(s.bytes(at, len(s.s)))
	return b.str()
}

// spread replaces nothing: by comes before the first n characters and the end.
func (m *machine) spread(s, by *str, n int) *str {
	b := m.builder()
	b.add(by)
	n--
	at := 0
	for i, r := range s.s {
		if n == 0 {
			break
		}
		n--
		m.step()
		at = i + utf8.RuneLen(r)
		b.add(s.bytes(i, at))
		b.add(by)
	}
	b.add(s.bytes(at, len(s.s)))
	return b.str()
}

// chars returns the characters of s.
func (m *machine) chars(s *str) []value {
	items := make([]value, 0, len(s.s))
	m.grow(64 * len(s.s))
	for i, r := range s.s {
		items = append(items, s.bytes(i, i+utf8.RuneLen(r)).plain())
	}
	return items
}

// split cuts s at a separator, at most n times if n is not negative, from the right if right.
func (m *machine) split(s, separator *str, n int, right bool) (parts []*str) {
	if separator.s == "" {
		fail(Runtime, "empty separator")
	}
	from, to := 0, len(s.s)
	for ; n != 0; n-- {
		m.grow(64)
		if right {
			i := strings.LastIndex(s.s[:to], separator.s)
			if i < 0 {
				break
			}
			parts = append(parts, s.bytes(i+len(separator.s), to))
			to = i
			continue
		}
		i := strings.Index(s.s[from:], separator.s)
		if i < 0 {
			break
		}
		parts = append(parts, s.bytes(from, from+i))
		from += i + len(separator.s)
	}
	parts = append(parts, s.bytes(from, to))
	if right {
		slices.Reverse(parts)
	}
	return parts
}
