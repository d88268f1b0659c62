package chat

import (
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// number reads an integer or a float.
func (l *lexer) number() {
	rest := l.src[l.pos:]
	if l.pos == 0 || l.src[l.pos-1] != '.' {
		if n := floatLength(rest); n > 0 {
			f, _ := strconv.ParseFloat(strings.ReplaceAll(rest[:n], "_", ""), 64) // out of range is infinite or 0
			l.emit(token{kind: tokNumber, text: rest[:n], value: f})
			l.pos += n
			return
		}
	}
	n := integerLength(rest)
	if i, err := strconv.ParseInt(rest[:n], 10, 64); err == nil && rest[0] != '0' {
		l.emit(token{kind: tokNumber, text: rest[:n], value: i})
		l.pos += n
		return
	}
	i, ok := new(big.Int).SetString(rest[:n], 0)
	if !ok || n > maxIntDigits {
		l.fail(rest[:min(n, 20)], "a number too long")
	}
	l.emit(token{kind: tokNumber, text: rest[:n], value: integer(i)})
	l.pos += n
}

// digits returns the length of digits with single underscores between them.
func digits(s, base string) int {
	n := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if strings.IndexByte(base, c) >= 0 {
			n = i + 1
		} else if c != '_' || n < i || i == 0 {
			break
		}
	}
	return n
}

const decimal = "0123456789"

// floatLength returns the length of the float that s begins with, 0 if it begins with none.
func floatLength(s string) int {
	n := digits(s, decimal)
	isFloat := false
	if n < len(s) && s[n] == '.' {
		if f := digits(s[n+1:], decimal); f > 0 {
			n, isFloat = n+1+f, true
		}
	}
	if n < len(s) && s[n]|0x20 == 'e' {
		i := n + 1
		if i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if e := digits(s[i:], decimal); e > 0 {
			n, isFloat = i+e, true
		}
	}
	if !isFloat {
		return 0
	}
	return n
}

// integerLength returns the length of the integer that s begins with.
func integerLength(s string) int {
	if s[0] == '0' {
		base := ""
		if len(s) > 2 {
			base = map[byte]string{'b': "01", 'o': "01234567", 'x': "0123456789abcdef"}[s[1]|0x20]
		}
		if base != "" {
			body := strings.TrimPrefix(s[2:], "_")
			if n := digits(body, base); n > 0 {
				return len(s) - len(body) + n
			}
		}
		return digits(s, "0")
	}
	return digits(s, decimal)
}

// quoted reads a string.
func (l *lexer) quoted(quote byte) {
	i := l.pos + 1
	for ; i < len(l.src) && l.src[i] != quote; i++ {
		if l.src[i] == '\\' {
			i++
		}
	}
	if i >= len(l.src) {
		l.fail(string(quote), "the string has no end")
	}
	text := l.src[l.pos+1 : i]
	l.emit(token{kind: tokString, text: l.src[l.pos : i+1], value: &str{s: l.unescape(text)}})
	l.advance(i + 1)
}

const simpleEscapes = "\\\\''\"\"a\ab\bf\fn\nr\rt\tv\v"

// unescape replaces the escapes of a Python string. Unknown ones stay as they are.
func (l *lexer) unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b []byte
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b = append(b, s[i])
			continue
		}
		i++
		switch c := s[i]; {
		case c == '\n':
		case c >= '0' && c <= '7':
			end := i + 1
			for end < min(i+3, len(s)) && s[end] >= '0' && s[end] <= '7' {
				end++
			}
			r, _ := strconv.ParseUint(s[i:end], 8, 16)
			b = utf8.AppendRune(b, rune(r))
			i = end - 1
		case c == 'x' || c == 'u' || c == 'U':
			var r rune
			r, i = l.hexEscape(s, i)
			b = utf8.AppendRune(b, r)
		case c == 'N':
			l.fail("\\N", "characters by name are not supported")
		default:
			at := strings.IndexByte(simpleEscapes, c)
			if at >= 0 && at%2 == 0 {
				b = append(b, simpleEscapes[at+1])
			} else {
				b = append(b, '\\', c)
			}
		}
	}
	return string(b)
}

// hexEscape reads the character whose escape has its letter at i, and returns the last byte's place.
// Two escapes of surrogates make one character.
func (l *lexer) hexEscape(s string, i int) (r rune, last int) {
	size := map[byte]int{'x': 2, 'u': 4, 'U': 8}[s[i]]
	if i+size >= len(s) {
		l.fail(s[i-1:], "the escape is cut short")
	}
	n, err := strconv.ParseUint(s[i+1:i+1+size], 16, 32)
	if err != nil || n > utf8.MaxRune {
		l.fail(s[i-1:i+1+size], "no character has this number")
	}
	last = i + size
	if n >= 0xd800 && n < 0xdc00 && strings.HasPrefix(s[last+1:], `\u`) && last+6 < len(s) {
		if low, err := strconv.ParseUint(s[last+3:last+7], 16, 32); err == nil && low >= 0xdc00 && low < 0xe000 {
			return rune(0x10000 + (n-0xd800)<<10 + low - 0xdc00), last + 6
		}
	}
	return rune(n), last
}
