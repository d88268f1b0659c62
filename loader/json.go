package loader

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// maxDepth bounds the nesting of JSON values that are skipped.
const maxDepth = 64

// scanner reads strict JSON, one value after the other, without building anything. It exists
// because encoding/json takes the last of repeated keys, any case of a field's name and
// broken UTF-8, and because its cost in memory is many times the text.
type scanner struct {
	data    []byte
	pos     int
	scratch []byte // holds the last string that had escapes
}

// errorf returns an error about what stands at the current position.
func (s *scanner) errorf(format string, args ...any) error {
	return fmt.Errorf("byte %d: %w", s.pos, fmt.Errorf(format, args...))
}

// unexpected says what stands at the current position instead of what was expected.
func (s *scanner) unexpected(expected string) error {
	if s.pos >= len(s.data) {
		return s.errorf("found the end, expected %s", expected)
	}
	end := s.pos + 1
	for end < len(s.data) && end < s.pos+24 && isNumeric(s.data[s.pos]) && isNumeric(s.data[end]) {
		end++
	}
	return s.errorf("found %s, expected %s", quote(s.data[s.pos:end]), expected)
}

// isNumeric reports whether c can stand in a JSON number.
func isNumeric(c byte) bool {
	return '0' <= c && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}

// peek skips white space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.pos < len(s.data) {
		c := s.data[s.pos]
		if c > ' ' || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c
		}
		s.pos++
	}
	return 0
}

// take skips white space and the byte c after it, which must be there.
func (s *scanner) take(c byte) error {
	if s.peek() != c {
		return s.unexpected(fmt.Sprintf("%q", c))
	}
	s.pos++
	return nil
}

// finish checks that nothing but white space is left.
func (s *scanner) finish() error {
	s.peek()
	if s.pos < len(s.data) {
		return s.unexpected("nothing after the object")
	}
	return nil
}

// object reads an object and calls value for each key, whose bytes hold until value reads a
// string; value must read the key's value.
func (s *scanner) object(value func(key []byte) error) error {
	if err := s.take('{'); err != nil {
		return err
	}
	return s.list('}', func() error {
		key, err := s.text(maxName)
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}
		if err := s.take(':'); err != nil {
			return err
		}
		return value(key)
	})
}

// array reads an array and calls element to read each of its elements.
func (s *scanner) array(element func() error) error {
	if err := s.take('['); err != nil {
		return err
	}
	return s.list(']', element)
}

// list reads elements with commas between them, and the closing byte.
func (s *scanner) list(closing byte, element func() error) error {
	if s.peek() == closing {
		s.pos++
		return nil
	}
	for {
		if err := element(); err != nil {
			return err
		}
		switch c := s.peek(); c {
		case ',', closing:
			s.pos++
			if c == closing {
				return nil
			}
		default:
			return s.unexpected(fmt.Sprintf("',' or %q", closing))
		}
	}
}

// text reads a string of at most limit bytes. The result is a view of the input or of
// scratch and holds until the next call.
func (s *scanner) text(limit int) ([]byte, error) {
	if err := s.take('"'); err != nil {
		return nil, err
	}
	start, plain, all := s.pos, true, byte(0)
	for i := start; i < len(s.data); i++ {
		c := s.data[i]
		all |= c
		switch {
		case c > '\\' || c >= ' ' && c != '"' && c != '\\':
		case c == '"':
			s.pos = i + 1
			return s.decode(s.data[start:i], plain, all < utf8.RuneSelf, limit)
		case c == '\\':
			plain = false
			i++
		default:
			s.pos = i
			return nil, s.unexpected("no control character in a string")
		}
	}
	s.pos = len(s.data)
	return nil, s.unexpected(`'"' after a string`)
}

// decode returns the text that the inside of a string literal stands for; plain says that it
// has no escapes, ascii that it has no other characters but perhaps behind a backslash.
func (s *scanner) decode(raw []byte, plain, ascii bool, limit int) ([]byte, error) {
	if !(plain && ascii) && !utf8.Valid(raw) {
		return nil, s.errorf("found broken UTF-8 in %s, expected valid", quote(raw))
	}
	const longestEscape = len(`\u0000`) // for one byte of text
	text, err := raw, error(nil)
	if !plain && len(raw)/longestEscape <= limit {
		if s.scratch, err = unescape(slices.Grow(s.scratch[:0], len(raw)), raw); err != nil {
			return nil, s.errorf("string %s: %w", quote(raw), err)
		}
		text = s.scratch
	}
	if len(text) > limit {
		return nil, s.errorf("found a string of %d bytes, %s, expected at most %d bytes", len(text), quote(text), limit)
	}
	return text, nil
}

// escapes are the characters behind a backslash that stand for one byte.
var escapes = [256]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t',
}

// unescape appends the text of raw to dst.
func unescape(dst, raw []byte) ([]byte, error) {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			dst = append(dst, raw[i])
			continue
		}
		// A file that changes while it is mapped may have lost what was here before.
		rest := raw[i+1:]
		if len(rest) > 0 && escapes[rest[0]] != 0 {
			dst = append(dst, escapes[rest[0]])
			i++
			continue
		}
		r, n := escapedRune(rest)
		if n == 0 {
			return dst, fmt.Errorf("found escape %s, expected one of JSON", quote(raw[i:min(i+6, len(raw))]))
		}
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return dst, nil
}

// escapedRune decodes uXXXX or uXXXX\uXXXX, a surrogate pair, at the start of b; n is the
// number of bytes it takes, 0 if it is neither or half a pair.
func escapedRune(b []byte) (r rune, n int) {
	switch r = hex4(b); {
	case r < 0 || 0xdc00 <= r && r < 0xe000:
		return 0, 0
	case r < 0xd800 || 0xe000 <= r:
		return r, 5
	}
	if len(b) < 11 || b[5] != '\\' {
		return 0, 0
	}
	low := hex4(b[6:])
	if low < 0xdc00 || 0xe000 <= low {
		return 0, 0
	}
	return 0x10000 + (r-0xd800)<<10 + (low - 0xdc00), 11
}

// hex4 decodes uXXXX at the start of b, -1 if it is not there.
func hex4(b []byte) rune {
	if len(b) < 5 || b[0] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[1:5] {
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 + rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 + rune(c|0x20-'a') + 10
		default:
			return -1
		}
	}
	return r
}

// integer reads a non-negative integer that fits an int64.
func (s *scanner) integer() (int64, error) {
	const expected = "a non-negative integer"
	s.peek()
	start := s.pos
	var n int64
	for ; s.pos < len(s.data); s.pos++ {
		d := int64(s.data[s.pos]) - '0'
		if d < 0 || d > 9 {
			break
		}
		if s.pos > start && n == 0 || n > (math.MaxInt64-d)/10 {
			s.pos = start
			return 0, s.unexpected(expected + " below 2^63, in plain decimal")
		}
		n = n*10 + d
	}
	if s.pos == start || s.pos < len(s.data) && isNumeric(s.data[s.pos]) {
		s.pos = start
		return 0, s.unexpected(expected + ", in plain decimal")
	}
	return n, nil
}

// skip reads any value and forgets it.
func (s *scanner) skip(depth int) error {
	if depth > maxDepth {
		return s.errorf("found more than %d levels of nesting, expected less", maxDepth)
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(func([]byte) error { return s.skip(depth + 1) })
	case c == '[':
		return s.array(func() error { return s.skip(depth + 1) })
	case c == '"':
		_, err := s.text(len(s.data))
		return err
	case c == '-' || '0' <= c && c <= '9':
		for s.pos < len(s.data) && isNumeric(s.data[s.pos]) {
			s.pos++
		}
		return nil
	}
	for _, word := range []string{"true", "false", "null"} {
		if rest := s.data[s.pos:]; len(rest) >= len(word) && string(rest[:len(word)]) == word {
			s.pos += len(word)
			return nil
		}
	}
	return s.unexpected("a JSON value")
}

var errTwice = errors.New("found twice, expected once")
