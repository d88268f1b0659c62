package chat

import (
	"strings"
	"unicode/utf8"
)

// filterWordWrap breaks every line of a text at a width, as Python's textwrap does: between words,
// after hyphens inside words, and within words that are too long.
func filterWordWrap(m *machine, a []value) value {
	if u, ok := a[0].(*undefined); ok {
		u.use()
	}
	s := textArg(a[0])
	w := wrapper{m: m, width: optionalInt(a[1], 79), breakLong: truth(optional(a[2], true)), hyphens: truth(optional(a[4], true))}
	if w.width <= 0 {
		fail(Runtime, "invalid width %d (must be > 0)", w.width)
	}
	between := "\n"
	if sep := optional(a[3], none{}); sep != (none{}) {
		between = textArg(sep).s
		s = marked(s.s, s, sep.(*str))
	}
	b := m.builder()
	for i, line := range m.lines(s, false) {
		if i > 0 {
			b.like(between, s)
		}
		b.like(strings.Join(w.wrap(line.s), between), s)
	}
	return b.str()
}

type wrapper struct {
	m                  *machine
	width              int
	breakLong, hyphens bool
}

// wrap returns the lines of one paragraph.
func (w *wrapper) wrap(s string) (lines []string) {
	chunks := w.chunks(s)
	for len(chunks) > 0 {
		if len(lines) > 0 && strings.TrimFunc(chunks[0], isSpace) == "" {
			chunks = chunks[1:]
		}
		var line []string
		n := 0
		for len(chunks) > 0 {
			size := utf8.RuneCountInString(chunks[0])
			if n+size > w.width {
				break
			}
			line, n = append(line, chunks[0]), n+size
			chunks = chunks[1:]
		}
		if len(chunks) > 0 && utf8.RuneCountInString(chunks[0]) > w.width {
			chunks, line = w.long(chunks, line, w.width-n)
		}
		if len(line) > 0 && strings.TrimFunc(line[len(line)-1], isSpace) == "" {
			line = line[:len(line)-1]
		}
		if len(line) > 0 {
			w.m.grow(64)
			lines = append(lines, strings.Join(line, ""))
		}
	}
	return lines
}

// long puts what fits of a word that is longer than a line on the line.
func (w *wrapper) long(chunks, line []string, space int) (rest, longer []string) {
	if !w.breakLong {
		if len(line) == 0 {
			return chunks[1:], append(line, chunks[0])
		}
		return chunks, line
	}
	word := str{s: chunks[0]}
	end := word.offset(max(space, 1))
	if i := strings.LastIndexByte(chunks[0][:end], '-'); w.hyphens && i > 0 && strings.Trim(chunks[0][:i], "-") != "" {
		end = i + 1
	}
	chunks[0], line = chunks[0][end:], append(line, chunks[0][:end])
	return chunks, line
}

// chunks cuts a text into white space and words, and words after hyphens between letters.
func (w *wrapper) chunks(s string) (chunks []string) {
	for s != "" {
		w.m.grow(32)
		n := len(s) - len(strings.TrimLeftFunc(s, isSpace))
		if n == 0 {
			if n = strings.IndexFunc(s, isSpace); n < 0 {
				n = len(s)
			}
			if w.hyphens {
				n = hyphenEnd(s[:n])
			}
		}
		chunks = append(chunks, s[:n])
		s = s[n:]
	}
	return chunks
}

// hyphenEnd returns the end of the first part of a word: after a hyphen that has at least two letters
// before it and a letter after it.
func hyphenEnd(word string) int {
	letters := 0
	for i, r := range word {
		after, _ := utf8.DecodeRuneInString(word[min(i+1, len(word)):])
		if r == '-' && letters >= 2 && isWord(after) && !(after >= '0' && after <= '9') {
			return i + 1
		}
		if isWord(r) && !(r >= '0' && r <= '9') {
			letters++
		} else {
			letters = 0
		}
	}
	return len(word)
}

// prettyWidth is the width of the lines that pprint writes.
const prettyWidth = 80

// filterPrettyPrint writes a value as Python's pprint does: on one line if it is short enough, else
// with one item on each. Dictionaries are sorted by key. Long strings are not broken.
func filterPrettyPrint(m *machine, a []value) value {
	b := m.builder()
	m.pretty(b, a[0], 0, 0)
	return b.str()
}

func (m *machine) pretty(b *builder, v value, column, after int) {
	m.enter()
	defer m.leave()
	one := m.builder()
	m.repr(one, m.byKey(v))
	if utf8.RuneCount(one.b) <= prettyWidth-column-after {
		b.add(one.str())
		return
	}
	item := func(i, n int, v value, column int, end string) {
		if i > 0 {
			b.text(",\n" + strings.Repeat(" ", column))
		}
		last := 1
		if i == n-1 {
			last = after + len(end)
		}
		m.pretty(b, v, column, last)
	}
	switch v := m.byKey(v).(type) {
	case *list:
		b.text("[")
		for i, x := range v.items {
			item(i, len(v.items), x, column+1, "]")
		}
		b.text("]")
	case *tuple:
		b.text("(")
		for i, x := range v.items {
			item(i, len(v.items), x, column+1, ")")
		}
		if len(v.items) == 1 {
			b.text(",")
		}
		b.text(")")
	case *dict:
		b.text("{")
		for i, k := range v.keys {
			if i > 0 {
				b.text(",\n" + strings.Repeat(" ", column+1))
			}
			key := m.builder()
			m.repr(key, k)
			b.add(key.str())
			b.text(": ")
			last := 1
			if i == len(v.keys)-1 {
				last = after + 1
			}
			m.pretty(b, v.vals[i], column+3+utf8.RuneCount(key.b), last)
		}
		b.text("}")
	default:
		b.add(one.str())
	}
}

// byKey returns a dictionary sorted by its keys; other values are returned as they are.
func (m *machine) byKey(v value) value {
	d, ok := v.(*dict)
	if !ok {
		return v
	}
	m.enter()
	defer m.leave()
	w := jsonWriter{m: m}
	for _, k := range d.keys {
		if _, ok := k.(*str); !ok {
			return v
		}
	}
	w.sorted = true
	sorted := new(dict)
	for _, i := range w.order(d) {
		sorted.set(d.keys[i], m.byKey(d.vals[i]))
	}
	return sorted
}
