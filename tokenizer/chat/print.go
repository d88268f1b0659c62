package chat

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
)

// string is Python's str().
func (m *machine) string(v value) *str {
	switch v := v.(type) {
	case *str:
		return v
	case *undefined:
		return text("")
	case int64:
		return text(formatInt(v))
	}
	b := m.builder()
	m.repr(b, v)
	return b.str()
}

// repr appends Python's repr().
func (m *machine) repr(b *builder, v value) {
	m.step()
	m.enter()
	defer m.leave()
	switch v := v.(type) {
	case none:
		b.text("None")
	case bool:
		if v {
			b.text("True")
		} else {
			b.text("False")
		}
	case int64:
		b.text(formatInt(v))
	case *big.Int:
		b.text(formatBig(v))
	case float64:
		b.text(formatFloat(v))
	case *str:
		if v.safe {
			b.text("Markup(")
			defer b.text(")")
		}
		b.like(quote(v.s), v)
	case *list:
		m.reprItems(b, "[", v.items, "]")
	case *tuple:
		end := ")"
		if len(v.items) == 1 {
			end = ",)"
		}
		m.reprItems(b, "(", v.items, end)
	case *dict:
		m.reprDict(b, v)
	case *view:
		b.text("dict_" + v.what + "(")
		m.reprItems(b, "[", v.items(), "])")
	case *span:
		b.text(v.String())
	case *namespace:
		b.text("<Namespace ")
		m.reprDict(b, v.attrs)
		b.text(">")
	case *macro:
		b.text("<Macro " + quote(v.def.name) + ">")
	case *loop:
		b.text(fmt.Sprintf("<LoopContext %d/%d>", v.index+1, v.length(m)))
	case *undefined:
		b.text("Undefined")
	default:
		b.text("<" + typeName(v) + " object>")
	}
}

func (m *machine) reprItems(b *builder, begin string, items []value, end string) {
	b.text(begin)
	for i, item := range items {
		if i > 0 {
			b.text(", ")
		}
		m.repr(b, item)
	}
	b.text(end)
}

func (m *machine) reprDict(b *builder, d *dict) {
	b.text("{")
	for i, k := range d.keys {
		if i > 0 {
			b.text(", ")
		}
		m.repr(b, k)
		b.text(": ")
		m.repr(b, d.vals[i])
	}
	b.text("}")
}

// String is the range's repr.
func (s *span) String() string {
	if s.step == 1 {
		return fmt.Sprintf("range(%d, %d)", s.first, s.stop)
	}
	return fmt.Sprintf("range(%d, %d, %d)", s.first, s.stop, s.step)
}

func formatInt(i int64) string { return strconv.FormatInt(i, 10) }

func formatBig(i *big.Int) string {
	s := i.String()
	if len(s) > maxIntDigits+1 {
		fail(Runtime, "an integer of more than %d digits cannot be printed", maxIntDigits)
	}
	return s
}

// formatFloat is the repr of a float: the shortest digits, with an exponent from 1e16 on and
// below 1e-4.
func formatFloat(f float64) string {
	switch {
	case math.IsInf(f, 1):
		return "inf"
	case math.IsInf(f, -1):
		return "-inf"
	case math.IsNaN(f):
		return "nan"
	}
	if a := math.Abs(f); a != 0 && (a < 1e-4 || a >= 1e16) {
		return strconv.FormatFloat(f, 'e', -1, 64)
	}
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// quote is the repr of a string.
func quote(s string) string {
	q := byte('\'')
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		q = '"'
	}
	b := append(make([]byte, 0, len(s)+2), q)
	for _, r := range s {
		switch {
		case r == rune(q) || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\r':
			b = append(b, `\r`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r >= ' ' && r < 0x7f:
			b = append(b, byte(r))
		case unicode.IsPrint(r):
			b = append(b, string(r)...)
		case r < 0x100:
			b = fmt.Appendf(b, `\x%02x`, r)
		case r < 0x10000:
			b = fmt.Appendf(b, `\u%04x`, r)
		default:
			b = fmt.Appendf(b, `\U%08x`, r)
		}
	}
	return string(append(b, q))
}

var htmlEscapes = strings.NewReplacer("&", "&amp;", ">", "&gt;", "<", "&lt;", "'", "&#39;", `"`, "&#34;")

// escape returns s as HTML, unless it is that already.
func (m *machine) escape(s *str) *str {
	if s.safe {
		return s
	}
	m.grow(len(s.s))
	if !strings.ContainsAny(s.s, `&<>'"`) {
		return &str{s.s, s.untrusted, true}
	}
	e := htmlEscapes.Replace(s.s)
	m.grow(len(e))
	return marked(e, s).as(&str{safe: true})
}
