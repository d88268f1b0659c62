package chat

import (
	"html"
	"strings"
	"unicode/utf8"
)

func filterTrim(m *machine, a []value) value {
	s := m.string(a[0])
	drop := isSpace
	if _, ok := optional(a[1], none{}).(none); !ok {
		chars := textArg(a[1]).s
		drop = func(r rune) bool { return strings.ContainsRune(chars, r) }
	}
	return s.trim(true, true, drop)
}

// filterTitle begins every word with a capital; words begin after blanks and opening brackets.
func filterTitle(m *machine, s *str) value {
	b := m.builder()
	begins := func(r rune) bool { return r == '-' || isSpace(r) || strings.ContainsRune("({[<", r) }
	for at := 0; at < len(s.s); {
		m.step()
		rest := s.s[at:]
		if gap := len(rest) - len(strings.TrimLeftFunc(rest, begins)); gap > 0 {
			b.add(s.bytes(at, at+gap))
			at += gap
			continue
		}
		end := strings.IndexFunc(rest, begins)
		if end < 0 {
			end = len(rest)
		}
		_, first := utf8.DecodeRuneInString(rest)
		b.add(m.upper(s.bytes(at, at+first)))
		b.add(m.lower(s.bytes(at+first, at+end)))
		at += end
	}
	return b.str()
}

func filterReplace(m *machine, a []value) value {
	n := -1
	if _, ok := optional(a[3], none{}).(none); !ok {
		n = index(a[3])
	}
	s := m.string(a[0])
	old, by := m.string(a[1]), m.string(a[2])
	if !m.autoescape {
		return m.replace(s, old, by, n).plain()
	}
	if old.safe || by.safe && !s.safe {
		s = m.escape(s)
	}
	if s.safe {
		by = m.escape(by)
	}
	return m.replace(s, old, by, n).as(s)
}

// lines cuts a text at line ends, as Python's splitlines does; with keep they stay.
func (m *machine) lines(s *str, keep bool) (lines []*str) {
	from := 0
	for i, r := range s.s {
		if i < from || !strings.ContainsRune("\n\r\v\f\x1c\x1d\x1e\u0085\u2028\u2029", r) {
			continue
		}
		m.grow(64)
		end := i + utf8.RuneLen(r)
		if r == '\r' && strings.HasPrefix(s.s[end:], "\n") {
			end++
		}
		if keep {
			i = end
		}
		lines = append(lines, s.bytes(from, i))
		from = end
	}
	if from < len(s.s) {
		lines = append(lines, s.bytes(from, len(s.s)))
	}
	return lines
}

func filterIndent(m *machine, a []value) value {
	if u, ok := a[0].(*undefined); ok {
		u.use()
	}
	s := textArg(a[0])
	in, ok := a[1].(*str)
	if !ok {
		in = m.repeat(text(" "), optionalInt(a[1], 4))
	}
	if s.safe {
		in = m.escape(in)
	}
	first, blank := a[2] != nil && truth(a[2]), a[3] != nil && truth(a[3])
	whole := m.builder()
	whole.add(s)
	whole.text("\n")
	b := m.builder()
	for i, line := range m.lines(whole.str(), false) {
		if i > 0 {
			b.text("\n")
		}
		if i == 0 && first || i > 0 && (blank || line.s != "") {
			b.add(in)
		}
		b.add(line)
	}
	return b.str().as(s)
}

func filterTruncate(m *machine, a []value) value {
	if _, ok := a[0].(*undefined); ok {
		return a[0]
	}
	s := textArg(a[0])
	length, leeway := optionalInt(a[1], 255), 5
	if _, ok := optional(a[4], none{}).(none); !ok {
		leeway = index(a[4])
	}
	end := textArg(optional(a[3], text("...")))
	if length < end.length() || leeway < 0 {
		fail(Runtime, "expected a length of at least %d and no negative leeway", end.length())
	}
	if s.length() <= length+leeway {
		return s
	}
	kept := s.slice(0, length-end.length())
	if a[2] == nil || !truth(a[2]) {
		if i := strings.LastIndexByte(kept.s, ' '); i >= 0 {
			kept = kept.bytes(0, i)
		}
	}
	return m.added(kept, end)
}

func filterCenter(m *machine, a []value) value {
	return m.pad(m.string(a[0]), optionalInt(a[1], 80), text(" "), '^')
}

// pad fills a string up to a width. Of an odd number of characters around it, one more is on the
// left if the width is odd, as in CPython.
func (m *machine) pad(s *str, width int, fill *str, align byte) *str {
	n := width - s.length()
	if n <= 0 {
		return s
	}
	left := 0
	switch align {
	case '>':
		left = n
	case '^':
		left = n/2 + n&width&1
	}
	b := m.builder()
	b.add(m.repeat(fill, left))
	b.add(s)
	b.add(m.repeat(fill, n-left))
	return b.str().as(s)
}

func filterWordCount(_ *machine, s *str) value {
	n := int64(0)
	inside := false
	for _, r := range s.s {
		if isWord(r) && !inside {
			n++
		}
		inside = isWord(r)
	}
	return n
}

// filterStripTags drops comments and tags, and makes one space of each run of white space.
func filterStripTags(m *machine, s *str) value {
	t := cutOut(m, s.s, "<!--", "-->")
	t = cutOut(m, t, "<", ">")
	t = strings.Join(strings.FieldsFunc(t, isSpace), " ")
	return marked(html.UnescapeString(t), s)
}

// cutOut drops what begins with one text and ends with another.
func cutOut(m *machine, s, begin, end string) string {
	m.grow(len(s))
	var b strings.Builder
	for {
		i := strings.Index(s, begin)
		if i < 0 {
			break
		}
		j := strings.Index(s[i:], end)
		if j < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i+j+len(end):]
	}
	return b.String() + s
}

func filterURLEncode(m *machine, a []value) value {
	items := a[0]
	switch v := items.(type) {
	case *str:
		return m.urlQuote(v, "/")
	case *dict:
		items = &view{v, "items"}
	default:
		if _, ok := m.tryIterate(v); !ok {
			return m.urlQuote(m.string(v), "/")
		}
	}
	b := m.builder()
	for i, pair := range m.items(items) {
		if i > 0 {
			b.text("&")
		}
		kv := m.unpack(pair, 2)
		b.add(m.urlQuote(m.string(kv[0]), "+"))
		b.text("=")
		b.add(m.urlQuote(m.string(kv[1]), "+"))
	}
	return b.str()
}

// urlQuote escapes all but letters, digits and -._~, and the slash if keep is that; if keep is a
// plus sign, spaces become one.
func (m *machine) urlQuote(s *str, keep string) *str {
	m.grow(3 * len(s.s))
	b := make([]byte, 0, len(s.s))
	for i := range len(s.s) {
		switch c := s.s[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z', c >= '0' && c <= '9', strings.IndexByte("-._~", c) >= 0, keep == "/" && c == '/':
			b = append(b, c)
		case c == ' ' && keep == "+":
			b = append(b, '+')
		default:
			b = append(b, '%', "0123456789ABCDEF"[c>>4], "0123456789ABCDEF"[c&15])
		}
	}
	return marked(string(b), s)
}

func filterXMLAttr(m *machine, a []value) value {
	d, ok := a[0].(*dict)
	if !ok {
		fail(Runtime, "xmlattr needs a dict, found '%s'", typeName(a[0]))
	}
	b := m.builder()
	for i, k := range d.keys {
		switch d.vals[i].(type) {
		case none, *undefined:
			continue
		}
		key := textArg(k)
		if strings.ContainsAny(key.s, " \t\n\r\f\v/>=") {
			fail(Runtime, "invalid character in attribute name: %s", quote(key.s))
		}
		if len(b.b) > 0 || a[1] == nil || truth(a[1]) {
			b.text(" ")
		}
		b.add(m.escape(key))
		b.text(`="`)
		b.add(m.escape(m.string(d.vals[i])))
		b.text(`"`)
	}
	return b.str().as(&str{safe: m.autoescape})
}

func filterFormat(m *machine, a args) value {
	if len(a.pos) == 0 {
		fail(Runtime, "format needs a value")
	}
	if len(a.pos) > 1 && len(a.names) > 0 {
		fail(Runtime, "format cannot handle positional and keyword arguments at the same time")
	}
	if len(a.names) > 0 {
		return m.printf(m.string(a.pos[0]), m.makeDict("format", args{names: a.names, named: a.named}))
	}
	return m.printf(m.string(a.pos[0]), &tuple{items: a.pos[1:]})
}
