package chat

import (
	"strings"
	"unicode/utf8"
)

// printf is Python's % on strings.
type printf struct {
	m      *machine
	format *str
	at     int
	b      *builder
	args   []value
	next   int
	dict   *dict // for %(name)s; nil: none
}

func (m *machine) printf(format *str, arg value) value {
	p := &printf{m: m, format: format, b: m.builder(), args: []value{arg}}
	switch a := arg.(type) {
	case *tuple:
		p.args = a.items
	case *dict:
		p.dict = a
	}
	for p.at < len(format.s) {
		n := strings.IndexByte(format.s[p.at:], '%')
		if n < 0 {
			break
		}
		p.b.add(format.bytes(p.at, p.at+n))
		p.at += n + 1
		p.directive()
	}
	p.b.add(format.bytes(p.at, len(format.s)))
	if p.next < len(p.args) && p.dict == nil {
		if _, ok := arg.(*list); !ok || p.next > 0 {
			fail(Runtime, "not all arguments converted during string formatting")
		}
	}
	return p.b.str().as(format)
}

func (p *printf) byte() byte {
	if p.at == len(p.format.s) {
		fail(Runtime, "incomplete format")
	}
	p.at++
	return p.format.s[p.at-1]
}

func (p *printf) arg() value {
	if p.next >= len(p.args) {
		fail(Runtime, "not enough arguments for format string")
	}
	p.next++
	return p.args[p.next-1]
}

// directive writes what follows a percent sign.
func (p *printf) directive() {
	p.m.step()
	var v value
	c := p.byte()
	if c == '(' {
		v = p.named()
		c = p.byte()
	}
	f := formatSpec{fill: ' ', precision: -1, align: '>'}
	for ; strings.IndexByte("-+ #0", c) >= 0; c = p.byte() {
		switch c {
		case '-':
			f.align = '<'
		case '#':
			f.alternate = true
		case '0':
			f.zero = true
		default:
			if f.sign != '+' {
				f.sign = c
			}
		}
	}
	if n, after, ok := p.count(c); ok {
		if f.width, c = n, after; n < 0 {
			f.width, f.align = -n, '<'
		}
	}
	if c == '.' {
		f.precision = 0
		c = p.byte()
		if n, after, ok := p.count(c); ok {
			f.precision, c = max(n, 0), after
		}
	}
	for c == 'l' || c == 'h' || c == 'L' {
		c = p.byte()
	}
	if c == '%' {
		p.b.text("%")
		return
	}
	if v == nil {
		v = p.arg()
	}
	p.b.add(f.padded(p.m, p.converted(&f, c, v), '>'))
}

// named reads (name) and returns the value of that name.
func (p *printf) named() value {
	end := strings.IndexByte(p.format.s[p.at:], ')')
	if end < 0 || p.dict == nil {
		fail(Runtime, "format requires a mapping")
	}
	v, ok := p.dict.attr(p.format.s[p.at : p.at+end])
	if !ok {
		fail(Runtime, "no key %s for the format", quote(p.format.s[p.at:p.at+end]))
	}
	p.at += end + 1
	return v
}

// count reads digits or a star that begin with c; after is what follows.
func (p *printf) count(c byte) (n int, after byte, ok bool) {
	if c == '*' {
		n = index(p.arg())
		if max(n, -n) > maxFormat {
			fail(Limit, "a format of width %d", n)
		}
		return n, p.byte(), true
	}
	from := p.at - 1
	for c >= '0' && c <= '9' {
		ok = true
		c = p.byte()
	}
	if ok {
		n = size(p.format.s[from : p.at-1])
	}
	return n, c, ok
}

// converted writes a value by its letter, without filling.
func (p *printf) converted(f *formatSpec, c byte, v value) *str {
	m := p.m
	if u, ok := v.(*undefined); ok && strings.IndexByte("sra", c) < 0 {
		u.use()
	}
	switch c {
	case 's', 'r', 'a':
		s := m.string(v)
		if c != 's' {
			b := m.builder()
			m.repr(b, v)
			s = b.str()
			if c == 'a' {
				s = marked(asciiOnly(s.s), s)
			}
		}
		if p.format.safe {
			s = m.escape(s)
		}
		f.zero = false
		if f.precision >= 0 {
			s = s.slice(0, f.precision)
		}
		return s
	case 'c':
		if s, ok := v.(*str); ok && s.length() == 1 {
			return s
		}
		i := index(v)
		if i < 0 || i > utf8.MaxRune {
			fail(Runtime, "%%c requires an int in range or a character")
		}
		return text(string(rune(i)))
	case 'd', 'i', 'u', 'o', 'x', 'X', 'e', 'E', 'f', 'F', 'g', 'G':
		return text(printfNumber(f, c, v))
	}
	fail(Runtime, "unsupported format character '%c'", c)
	return nil
}

func printfNumber(f *formatSpec, c byte, v value) string {
	if !isNumber(v) {
		fail(Runtime, "%%%c format: a number is required, not %s", c, typeName(v))
	}
	f.verb = c
	if strings.IndexByte("diuoxX", c) >= 0 {
		if x, ok := v.(float64); ok {
			i := floatToInt(x, nil)
			if i == nil || strings.IndexByte("oxX", c) >= 0 {
				fail(Runtime, "%%%c format: an integer is required, not float", c)
			}
			v = i
		}
		if strings.IndexByte("diu", c) >= 0 {
			f.verb = 'd'
		}
	}
	if f.align == '<' {
		f.zero = false
	}
	if f.precision >= 0 && strings.IndexByte("doxX", f.verb) >= 0 {
		sign, body := f.digitsOf(v)
		body = strings.Repeat("0", max(f.precision-len(body), 0)) + body
		if f.sign != 0 && !strings.HasPrefix(sign, "-") {
			sign = string(f.sign) + sign
		}
		return sign + body
	}
	return f.number(v)
}

// asciiOnly escapes what is not ASCII.
func asciiOnly(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r < 0x100:
			b.WriteString(`\x` + hex(r, 2))
		case r < 0x10000:
			b.WriteString(`\u` + hex(r, 4))
		default:
			b.WriteString(`\U` + hex(r, 8))
		}
	}
	return b.String()
}

func hex(r rune, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[n-1-i] = hexDigits[r>>(4*i)&15]
	}
	return string(b)
}
