package chat

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

var stringMethods map[string]*builtin

func init() {
	stringMethods = named(map[string]*builtin{
		"strip":      strip(true, true),
		"lstrip":     strip(true, false),
		"rstrip":     strip(false, true),
		"upper":      onString(func(m *machine, s *str) value { return m.upper(s) }),
		"lower":      onString(func(m *machine, s *str) value { return m.lower(s) }),
		"casefold":   onString(func(m *machine, s *str) value { return m.replace(m.lower(s), text("ß"), text("ss"), -1) }),
		"title":      onString(func(m *machine, s *str) value { return m.titled(s) }),
		"capitalize": onString(func(m *machine, s *str) value { return m.capitalize(s) }),
		"swapcase":   onString(func(m *machine, s *str) value { return m.swapped(s) }),

		"split":      define(splitter(false), "s", "sep=", "maxsplit="),
		"rsplit":     define(splitter(true), "s", "sep=", "maxsplit="),
		"splitlines": define(methodSplitLines, "s", "keepends="),
		"partition":  define(partition(false), "s", "sep"),
		"rpartition": define(partition(true), "s", "sep"),
		"join":       define(methodJoin, "s", "iterable"),
		"replace":    define(methodReplace, "s", "old", "new", "count="),
		"format":     variadic(methodFormat),

		"startswith":   define(hasAffix(strings.HasPrefix), "s", "prefix", "start=", "end="),
		"endswith":     define(hasAffix(strings.HasSuffix), "s", "suffix", "start=", "end="),
		"removeprefix": define(methodRemovePrefix, "s", "prefix"),
		"removesuffix": define(methodRemoveSuffix, "s", "suffix"),
		"find":         define(finder(false, false), "s", "sub", "start=", "end="),
		"rfind":        define(finder(true, false), "s", "sub", "start=", "end="),
		"index":        define(finder(false, true), "s", "sub", "start=", "end="),
		"rindex":       define(finder(true, true), "s", "sub", "start=", "end="),
		"count":        define(methodCount, "s", "sub", "start=", "end="),

		"zfill":      define(methodZeroFill, "s", "width"),
		"ljust":      padder('<'),
		"rjust":      padder('>'),
		"center":     padder('^'),
		"expandtabs": define(methodExpandTabs, "s", "tabsize="),

		"isdigit":      all(func(r rune) bool { return unicode.IsDigit(r) || unicode.Is(otherDigits, r) }),
		"isdecimal":    all(unicode.IsDigit),
		"isnumeric":    all(unicode.IsNumber),
		"isalpha":      all(unicode.IsLetter),
		"isalnum":      all(func(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }),
		"isspace":      all(isSpace),
		"isupper":      onString(func(_ *machine, s *str) value { return isCased(s.s, true) }),
		"islower":      onString(func(_ *machine, s *str) value { return isCased(s.s, false) }),
		"istitle":      onString(func(_ *machine, s *str) value { return isTitled(s.s) }),
		"isascii":      onString(func(_ *machine, s *str) value { return s.ascii() }),
		"isprintable":  onString(func(_ *machine, s *str) value { return s.s == "" || every(s.s, unicode.IsPrint) }),
		"isidentifier": onString(func(_ *machine, s *str) value { return every(s.s, isWord) && !(s.s[0] >= '0' && s.s[0] <= '9') }),
	})
}

func onString(f func(m *machine, s *str) value) *builtin {
	return define(func(m *machine, a []value) value { return f(m, a[0].(*str)) }, "s")
}

func all(f func(r rune) bool) *builtin {
	return onString(func(_ *machine, s *str) value { return every(s.s, f) })
}

func strip(left, right bool) *builtin {
	return define(func(_ *machine, a []value) value {
		drop := isSpace
		if chars := optional(a[1], none{}); chars != (none{}) {
			set := textArg(chars).s
			drop = func(r rune) bool { return strings.ContainsRune(set, r) }
		}
		return a[0].(*str).trim(left, right, drop)
	}, "s", "chars=")
}

func listOf(parts []*str) *list {
	l := &list{make([]value, len(parts))}
	for i, p := range parts {
		l.items[i] = p
	}
	return l
}

func splitter(right bool) func(m *machine, a []value) value {
	return func(m *machine, a []value) value {
		s, n := a[0].(*str), optionalInt(a[2], -1)
		if sep := optional(a[1], none{}); sep != (none{}) {
			return listOf(m.split(s, textArg(sep), n, right))
		}
		return listOf(m.words(s, n, right))
	}
}

// words cuts s at runs of white space, at most n times if n is not negative.
func (m *machine) words(s *str, n int, right bool) (parts []*str) {
	s = s.trim(!right, right, isSpace)
	for strings.TrimFunc(s.s, isSpace) != "" {
		m.grow(64)
		i, after := strings.IndexFunc(s.s, isSpace), 0
		if right {
			if i = strings.LastIndexFunc(s.s, isSpace); i >= 0 {
				_, size := utf8.DecodeRuneInString(s.s[i:])
				after = i + size
			}
		}
		if n == 0 || i < 0 {
			parts = append(parts, s)
			break
		}
		n--
		if right {
			parts = append(parts, s.bytes(after, len(s.s)))
			s = s.bytes(0, i).trim(false, true, isSpace)
		} else {
			parts = append(parts, s.bytes(0, i))
			s = s.bytes(i, len(s.s)).trim(true, false, isSpace)
		}
	}
	if right {
		slices.Reverse(parts)
	}
	return parts
}

func methodSplitLines(m *machine, a []value) value {
	return listOf(m.lines(a[0].(*str), a[1] != nil && truth(a[1])))
}

func partition(right bool) func(m *machine, a []value) value {
	return func(m *machine, a []value) value {
		s, sep := a[0].(*str), textArg(a[1])
		if sep.s == "" {
			fail(Runtime, "empty separator")
		}
		i := strings.Index(s.s, sep.s)
		if right {
			i = strings.LastIndex(s.s, sep.s)
		}
		empty := s.bytes(0, 0)
		switch {
		case i >= 0:
			return &tuple{items: []value{s.bytes(0, i), sep, s.bytes(i+len(sep.s), len(s.s))}}
		case right:
			return &tuple{items: []value{empty, empty, s}}
		}
		return &tuple{items: []value{s, empty, empty}}
	}
}

func methodJoin(m *machine, a []value) value {
	sep := a[0].(*str)
	var parts []*str
	next := m.iterate(a[1])
	for v, ok := next(); ok; v, ok = next() {
		s, ok := v.(*str)
		if !ok {
			fail(Runtime, "join: expected strings, found '%s'", typeName(v))
		}
		if sep.safe {
			s = m.escape(s)
		}
		m.grow(16)
		parts = append(parts, s)
	}
	return m.join(sep, parts).as(sep)
}

func methodReplace(m *machine, a []value) value {
	s, by := a[0].(*str), textArg(a[2])
	if s.safe {
		by = m.escape(by)
	}
	return m.replace(s, textArg(a[1]), by, optionalInt(a[3], -1)).as(s)
}

// part returns s[start:end] for the arguments of a search, and the code points before it; ok is
// false if start is beyond the end.
func part(s *str, start, end value) (sub *str, before int, ok bool) {
	n := s.length()
	from, to, _ := sliceBounds([3]value{optional(start, none{}), optional(end, none{}), none{}}, n)
	return s.slice(from, max(from, to)), from, start == nil || start == (none{}) || index(start) <= n
}

func hasAffix(has func(s, affix string) bool) func(m *machine, a []value) value {
	return func(m *machine, a []value) value {
		sub, _, ok := part(a[0].(*str), a[2], a[3])
		affixes := []value{a[1]}
		if t, isTuple := a[1].(*tuple); isTuple {
			affixes = t.items
		}
		for _, affix := range affixes {
			m.step()
			if has(sub.s, textArg(affix).s) && ok {
				return true
			}
		}
		return false
	}
}

func methodRemovePrefix(_ *machine, a []value) value {
	s, affix := a[0].(*str), textArg(a[1]).s
	if strings.HasPrefix(s.s, affix) {
		return s.bytes(len(affix), len(s.s))
	}
	return s
}

func methodRemoveSuffix(_ *machine, a []value) value {
	s, affix := a[0].(*str), textArg(a[1]).s
	if strings.HasSuffix(s.s, affix) {
		return s.bytes(0, len(s.s)-len(affix))
	}
	return s
}

func finder(last, must bool) func(m *machine, a []value) value {
	return func(_ *machine, a []value) value {
		sub, before, ok := part(a[0].(*str), a[2], a[3])
		find := strings.Index
		if last {
			find = strings.LastIndex
		}
		i := find(sub.s, textArg(a[1]).s)
		switch {
		case ok && i >= 0:
			return int64(before + sub.bytes(0, i).length())
		case must:
			fail(Runtime, "substring not found")
		}
		return int64(-1)
	}
}

func methodCount(_ *machine, a []value) value {
	sub, _, ok := part(a[0].(*str), a[2], a[3])
	if !ok {
		return int64(0)
	}
	return int64(strings.Count(sub.s, textArg(a[1]).s))
}

func methodZeroFill(m *machine, a []value) value {
	s, n := a[0].(*str), index(a[1])
	zeros := m.repeat(text("0"), n-s.length())
	sign := 0
	if s.s != "" && (s.s[0] == '+' || s.s[0] == '-') {
		sign = 1
	}
	b := m.builder()
	b.add(s.bytes(0, sign))
	b.add(zeros)
	b.add(s.bytes(sign, len(s.s)))
	return b.str().as(s)
}

func padder(align byte) *builtin {
	return define(func(m *machine, a []value) value {
		fill := textArg(optional(a[2], text(" ")))
		if fill.length() != 1 {
			fail(Runtime, "the fill character must be exactly one character long")
		}
		return m.pad(a[0].(*str), index(a[1]), fill, align)
	}, "s", "width", "fillchar=")
}

func methodExpandTabs(m *machine, a []value) value {
	s, size := a[0].(*str), optionalInt(a[1], 8)
	b := m.builder()
	column := 0
	for i, r := range s.s {
		switch r {
		case '\t':
			if size > 0 {
				b.add(m.repeat(text(" "), size-column%size))
				column = 0
			}
		case '\n', '\r':
			column = -1
			fallthrough
		default:
			b.add(s.bytes(i, i+len(string(r))))
			column++
		}
	}
	return b.str().as(s)
}
