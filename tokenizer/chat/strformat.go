package chat

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// strFormat is Python's str.format.
type strFormat struct {
	m      *machine
	format *str
	args   args
	next   int // number of the next field without one; -1 once a field has a number
}

// methodFormat is the method format of strings.
func methodFormat(m *machine, a args) value {
	f := &strFormat{m: m, format: a.pos[0].(*str), args: args{a.pos[1:], a.names, a.named}}
	b := m.builder()
	f.write(b, 0, len(f.format.s), 0)
	return b.str().as(f.format)
}

// write writes the part of the format from at to end.
func (f *strFormat) write(b *builder, at, end, depth int) {
	s := f.format.s
	if depth > 2 {
		fail(Runtime, "max string recursion exceeded")
	}
	for at < end {
		n := strings.IndexAny(s[at:end], "{}")
		if n < 0 {
			break
		}
		b.add(f.format.bytes(at, at+n))
		at += n
		f.m.step()
		if at+1 < end && s[at+1] == s[at] {
			b.add(f.format.bytes(at, at+1))
			at += 2
			continue
		}
		if s[at] == '}' {
			fail(Runtime, "single '}' encountered in format string")
		}
		to := f.closing(at+1, end)
		b.add(f.field(at+1, to, depth))
		at = to + 1
	}
	b.add(f.format.bytes(at, end))
}

// closing returns the place of the brace that closes a field.
func (f *strFormat) closing(at, end int) int {
	open := 1
	for i := at; i < end; i++ {
		switch f.format.s[i] {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return i
			}
		}
	}
	fail(Runtime, "expected '}' before end of string")
	return 0
}

// field writes one field.
func (f *strFormat) field(at, end, depth int) *str {
	s := f.format.s
	nameEnd := end
	if n := strings.IndexAny(s[at:end], "!:"); n >= 0 {
		nameEnd = at + n
	}
	v := f.lookup(s[at:nameEnd])
	at = nameEnd
	if at < end && s[at] == '!' {
		if at+1 == end || at+2 < end && s[at+2] != ':' {
			fail(Runtime, "expected ':' after conversion specifier")
		}
		v = f.conversion(s[at+1], v)
		at += 2
	}
	spec := f.m.builder()
	if at < end {
		f.write(spec, at+1, end, depth+1)
	}
	out := f.m.formatted(v, string(spec.b))
	if f.format.safe {
		out = f.m.escape(out)
	}
	if len(spec.untrusted) > 0 {
		out = marked(out.s, spec.str())
	}
	return out
}

// conversion is !s, !r or !a.
func (f *strFormat) conversion(c byte, v value) value {
	switch c {
	case 's':
		return f.m.string(v)
	case 'r', 'a':
		b := f.m.builder()
		f.m.repr(b, v)
		if s := b.str(); c == 'a' {
			return marked(asciiOnly(s.s), s)
		}
		return b.str()
	}
	fail(Runtime, "unknown conversion specifier %q", c)
	return nil
}

// lookup returns the value of a field such as 0, name.attribute or name[key].
func (f *strFormat) lookup(name string) value {
	end := strings.IndexAny(name, ".[")
	if end < 0 {
		end = len(name)
	}
	v := f.argument(name[:end])
	for rest := name[end:]; rest != ""; {
		f.m.step()
		if rest[0] == '.' {
			n := strings.IndexAny(rest[1:], ".[")
			if n < 0 {
				n = len(rest) - 1
			}
			v = f.m.attr(v, rest[1:1+n])
			rest = rest[1+n:]
			continue
		}
		n := strings.IndexByte(rest, ']')
		if n < 0 || rest[0] != '[' {
			fail(Runtime, "missing ']' in format string")
		}
		if i, err := strconv.ParseInt(rest[1:n], 10, 64); err == nil {
			v = f.m.item(v, i)
		} else {
			v = f.m.item(v, text(rest[1:n]))
		}
		rest = rest[n+1:]
	}
	return v
}

func (f *strFormat) argument(name string) value {
	i, err := strconv.Atoi(name)
	switch {
	case name == "" && f.next >= 0:
		i = f.next
		f.next++
	case err == nil && i >= 0 && f.next <= 0:
		f.next = -1
	case name == "" || err == nil:
		fail(Runtime, "cannot mix automatic field numbering and field numbers")
	default:
		if i := slices.Index(f.args.names, name); i >= 0 {
			return f.args.named[i]
		}
		fail(Runtime, "no argument %s for the format", quote(name))
	}
	if i >= len(f.args.pos) {
		fail(Runtime, "replacement index %d out of range", i)
	}
	return f.args.pos[i]
}

// formatted is Python's format().
func (m *machine) formatted(v value, spec string) *str {
	if u, ok := v.(*undefined); ok && spec != "" {
		u.use()
	}
	if spec == "" {
		return m.string(v)
	}
	f := parseSpec(spec)
	switch v := v.(type) {
	case *str:
		if f.verb != 0 && f.verb != 's' || f.sign != 0 || f.grouping != "" || f.alternate || f.align == '=' {
			fail(Runtime, "the format %s is not one for strings", quote(spec))
		}
		if f.precision >= 0 {
			v = v.slice(0, f.precision)
		}
		return f.padded(m, v, '<')
	case bool, int64, float64:
		return f.numeric(m, v, spec)
	}
	if isNumber(v) {
		return f.numeric(m, v, spec)
	}
	fail(Runtime, "unsupported format string passed to %s.__format__", typeName(v))
	return nil
}

func (f *formatSpec) numeric(m *machine, v value, spec string) *str {
	if f.verb == 's' || f.verb == 'c' && isFloat(v) || f.precision >= 0 && !isFloat(v) && strings.IndexByte("eEfFgG%", f.verb) < 0 {
		fail(Runtime, "the format %s is not one for %s", quote(spec), typeName(v))
	}
	if f.verb == 'c' {
		return f.padded(m, text(string(rune(index(v)))), '<')
	}
	if b, ok := v.(bool); ok && f.verb == 0 {
		v, _ = asInt(b)
	}
	if f.align == '=' && f.fill != '0' {
		return f.inner(m, v)
	}
	f.zero = f.align == '=' || f.align == 0 && f.zero
	m.grow(f.width + max(f.precision, 0) + 512)
	return f.padded(m, text(f.number(v)), '>')
}

// inner fills between sign and digits.
func (f *formatSpec) inner(m *machine, v value) *str {
	f.zero = false
	s := f.number(v)
	digits := strings.TrimLeft(s, "+- ")
	sign := s[:len(s)-len(digits)]
	rest := *f
	rest.width, rest.align = f.width-len(sign), '>'
	return m.added(text(sign), rest.padded(m, text(digits), '>')).(*str)
}

// parseSpec reads a format such as *^+#010,.3f.
func parseSpec(s string) *formatSpec {
	f := &formatSpec{fill: ' ', precision: -1}
	spec, filled := s, false
	isAlign := func(s string) bool { return s != "" && strings.IndexByte("<>=^", s[0]) >= 0 }
	if r, n := utf8.DecodeRuneInString(s); isAlign(s[n:]) {
		f.fill, f.align, s, filled = r, s[n], s[n+1:], true
	} else if isAlign(s) {
		f.align, s = s[0], s[1:]
	}
	take := func(set string) byte {
		if s == "" || strings.IndexByte(set, s[0]) < 0 {
			return 0
		}
		c := s[0]
		s = s[1:]
		return c
	}
	number := func() (int, bool) {
		n := len(s) - len(strings.TrimLeft(s, decimal))
		if n == 0 {
			return 0, false
		}
		v := size(s[:n])
		s = s[n:]
		return v, true
	}
	f.sign = take("+- ")
	f.alternate = take("#") != 0
	if take("0") != 0 {
		f.zero = true
		if !filled {
			f.fill = '0'
		}
	}
	f.width, _ = number()
	if c := take(",_"); c != 0 {
		f.grouping = string(c)
	}
	if take(".") != 0 {
		n, ok := number()
		if !ok {
			fail(Runtime, "format specifier missing precision")
		}
		f.precision = n
	}
	f.verb = take("bcdeEfFgGnosxX%")
	if s != "" {
		fail(Runtime, "invalid format specifier %s", quote(spec))
	}
	return f
}
