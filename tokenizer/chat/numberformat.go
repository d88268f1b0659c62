package chat

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
)

// maxFormat bounds widths and precisions.
const maxFormat = 1 << 20

// formatSpec says how a value is written, in the terms of Python's format().
type formatSpec struct {
	fill        rune
	align, sign byte // 0: not given
	alternate   bool
	zero        bool // zeros between sign and digits
	width       int
	grouping    string // "", "," or "_"
	precision   int    // -1: not given
	verb        byte   // 0: not given
}

// digitsOf returns sign and digits of a number, with prefix.
func (f *formatSpec) digitsOf(v value) (sign, body string) {
	switch f.verb {
	case 'e', 'E', 'f', 'F', 'g', 'G', '%':
		x, _ := asFloat(v)
		return f.floatDigits(x)
	case 'n', 0:
		if x, ok := v.(float64); ok {
			return f.floatDigits(x)
		}
	}
	i, ok := asBig(v)
	if !ok {
		fail(Runtime, "unknown format code '%c' for object of type '%s'", f.verb, typeName(v))
	}
	if i.Sign() < 0 {
		sign = "-"
	}
	abs := new(big.Int).Abs(i)
	base, prefix := 10, ""
	switch f.verb {
	case 'x', 'X':
		base, prefix = 16, "0x"
	case 'o':
		base, prefix = 8, "0o"
	case 'b':
		base, prefix = 2, "0b"
	}
	body = abs.Text(base)
	if f.alternate {
		sign += prefix
	}
	if f.verb == 'X' {
		return strings.ToUpper(sign), strings.ToUpper(body)
	}
	return sign, body
}

func (f *formatSpec) floatDigits(x float64) (sign, body string) {
	if math.Signbit(x) {
		sign = "-"
	}
	x = math.Abs(x)
	precision := f.precision
	if precision < 0 {
		precision = 6
	}
	switch verb := f.verb | 0x20; {
	case math.IsInf(x, 0):
		body = "inf"
	case math.IsNaN(x):
		sign, body = "", "nan"
	case f.verb == '%':
		body = strconv.FormatFloat(x*100, 'f', precision, 64) + "%"
	case verb == 'e', verb == 'f':
		body = strconv.FormatFloat(x, verb, precision, 64)
		if f.alternate && precision == 0 {
			body = strings.Replace(body+"e", "e", ".e", 1)
			body = strings.TrimSuffix(body, "e")
		}
	case f.verb == 0 && f.precision < 0:
		body = formatFloat(x)
	default:
		body = general(x, max(precision, 1), f.alternate, f.verb == 0)
	}
	if f.verb >= 'A' && f.verb <= 'Z' {
		body = strings.ToUpper(body)
	}
	return sign, body
}

// general writes x with so many significant digits, as C's %g does: zeros keeps zeros at the end, and
// point one digit after the point.
func general(x float64, precision int, zeros, point bool) string {
	if precision > 400 {
		precision = 400
	}
	e := strconv.FormatFloat(x, 'e', precision-1, 64)
	mantissa, exponent, _ := strings.Cut(e, "e")
	exp, _ := strconv.Atoi(exponent)
	limit := precision
	if point {
		limit--
	}
	if exp < -4 || exp >= limit {
		if !zeros && strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		}
		return mantissa + "e" + exponent
	}
	s := strconv.FormatFloat(x, 'f', max(precision-1-exp, 0), 64)
	if !zeros && strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if point && !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// number writes a number.
func (f *formatSpec) number(v value) string {
	sign, body := f.digitsOf(v)
	if !strings.HasPrefix(sign, "-") && (f.sign == '+' || f.sign == ' ') {
		sign = string(f.sign) + sign
	}
	zeros := 0
	if f.zero {
		zeros = f.width - len(sign)
	}
	if f.grouping != "" {
		size := 3
		if strings.IndexByte("xXob", f.verb) >= 0 && f.verb != 0 {
			size = 4
		}
		return sign + grouped(body, f.grouping, size, zeros)
	}
	return sign + strings.Repeat("0", max(zeros-len(body), 0)) + body
}

// grouped puts separators between groups of digits, with zeros in front up to a width.
func grouped(body, separator string, size, width int) string {
	end := strings.IndexFunc(body, func(r rune) bool { return r == '.' || r == 'e' || r == '%' })
	if end < 0 {
		end = len(body)
	}
	whole, rest := body[:end], body[end:]
	for {
		n := len(whole) + (len(whole)-1)/size + len(rest)
		if n >= width {
			break
		}
		whole = "0" + whole
	}
	var parts []string
	for len(whole) > size {
		parts = append([]string{whole[len(whole)-size:]}, parts...)
		whole = whole[:len(whole)-size]
	}
	return strings.Join(append([]string{whole}, parts...), separator) + rest
}

// padded fills a written value up to the width.
func (f *formatSpec) padded(m *machine, s *str, align byte) *str {
	if f.align != 0 {
		align = f.align
	}
	n := f.width - s.length()
	if n <= 0 {
		return s
	}
	left := 0
	switch align {
	case '>', '=':
		left = n
	case '^':
		left = n / 2
	}
	b := m.builder()
	fill := text(string(f.fill))
	b.add(m.repeat(fill, left))
	b.add(s)
	b.add(m.repeat(fill, n-left))
	return b.str()
}

// size returns a width or precision, within bounds.
func size(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n > maxFormat {
		fail(Limit, "a format of width %s", fmt.Sprintf("%.20s", s))
	}
	return n
}
