package tokenizer

import (
	"bytes"
	"unicode/utf8"
)

// findDeepSeek3 is
//
//	[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
//
// Numbers, controls and unassigned characters that no word follows are in no match.
func findDeepSeek3(c *classes, s []byte, i int) (start, end int) {
	for i < len(s) {
		class, size := c.at(s, i)
		if end := c.deepSeek3(s, i, class, size); end > 0 {
			return i, end
		}
		i += size
	}
	return i, i
}

// deepSeek3 matches the pattern of findDeepSeek3 at s[i], a character of the given class and
// size; 0 means no match.
func (c *classes) deepSeek3(s []byte, i int, class uint8, size int) int {
	const word, sign = letter | mark, punct | symbol
	var next uint8
	if i+size < len(s) {
		next, _ = c.at(s, i+size)
	}
	switch {
	case class&word != 0:
		return c.while(s, i+size, word)
	case class&sign != 0:
		if size == 1 && next&letter != 0 && s[i+1] < utf8.RuneSelf {
			return asciiLetters(s, i+1)
		}
		return newlines(s, c.while(s, i+size, sign), '\n')
	case next&word != 0 && s[i] != '\n' && s[i] != '\r':
		return c.while(s, i+size, word)
	case s[i] == ' ' && next&sign != 0:
		return newlines(s, c.while(s, i+size, sign), '\n')
	case class&space != 0:
		return c.linesOrSpaces(s, i)
	}
	return 0
}

// asciiLetters returns the end of the run of [A-Za-z] from s[i].
func asciiLetters(s []byte, i int) int {
	for i < len(s) && 'a' <= s[i]|0x20 && s[i]|0x20 <= 'z' {
		i++
	}
	return i
}

// findNumber returns the finder of \p{N}{1,limit}.
func findNumber(limit int) finder {
	return func(c *classes, s []byte, i int) (start, end int) {
		i = c.until(s, i, number)
		return i, c.digits(s, i, limit)
	}
}

// findThreeDigits is [0-9][0-9][0-9].
func findThreeDigits(_ *classes, s []byte, i int) (start, end int) {
	for run := 0; i < len(s); {
		b := s[i]
		i++
		if b < '0' || b > '9' {
			run = 0
		} else if run++; run == 3 {
			return i - 3, i
		}
	}
	return i, i
}

// findPunct is one character of ASCII punctuation or \p{P}.
func findPunct(c *classes, s []byte, i int) (start, end int) {
	for i < len(s) {
		class, size := c.at(s, i)
		if class&punct != 0 || size == 1 && class&symbol != 0 {
			return i, i + size
		}
		i += size
	}
	return i, i
}

// findCJK is [一-龥぀-ゟ゠-ヿ]+.
func findCJK(_ *classes, s []byte, i int) (start, end int) {
	in := func(j int) bool {
		if j >= len(s) || s[j] < 0xE3 || s[j] > 0xE9 {
			return false
		}
		r, _ := utf8.DecodeRune(s[j:])
		return 0x4E00 <= r && r <= 0x9FA5 || 0x3040 <= r && r <= 0x30FF
	}
	for i < len(s) && !in(i) {
		i++
	}
	for end = i; in(end); end += 3 {
	}
	return i, end
}

// findLiteral returns the finder of a string.
func findLiteral(lit []byte) finder {
	return func(_ *classes, s []byte, i int) (start, end int) {
		if n := bytes.Index(s[i:], lit); n >= 0 {
			return i + n, i + n + len(lit)
		}
		return len(s), len(s)
	}
}

// findSpaces is \s+.
func findSpaces(_ *classes, s []byte, i int) (start, end int) {
	for i < len(s) {
		r, size := utf8.DecodeRune(s[i:])
		if isSpace(r) {
			return i, spacesAfter(s, i+size)
		}
		i += size
	}
	return i, i
}

// findSpaceRun is two spaces or more, U+0020.
func findSpaceRun(_ *classes, s []byte, i int) (start, end int) {
	n := bytes.Index(s[i:], []byte("  "))
	if n < 0 {
		return len(s), len(s)
	}
	for i, end = i+n, i+n; end < len(s) && s[end] == ' '; end++ {
	}
	return i, end
}

// findCLIP is
//
//	's|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+
//
// White space is in no match.
func findCLIP(c *classes, s []byte, i int) (start, end int) {
	i = spacesAfter(s, i)
	if i == len(s) {
		return i, i
	}
	if end := contraction(s, i, false); end > 0 {
		return i, end
	}
	switch class, size := c.at(s, i); {
	case class&letter != 0:
		return i, c.while(s, i+size, letter)
	case class&number != 0:
		return i, i + size
	default:
		return i, c.until(s, i+size, space|letter|number)
	}
}

// findWords is \w+|[^\w\s]+. White space is in no match.
func findWords(_ *classes, s []byte, i int) (start, end int) {
	i = spacesAfter(s, i)
	word := false
	for end = i; end < len(s); {
		r, size := utf8.DecodeRune(s[end:])
		w := isWord(r)
		if end == i {
			word = w
		}
		if w != word || isSpace(r) {
			break
		}
		end += size
	}
	return i, end
}

// findBert is one character of punctuation as in findPunct, or a run of others that are no white
// space.
func findBert(c *classes, s []byte, i int) (start, end int) {
	i = spacesAfter(s, i)
	for end = i; end < len(s); {
		class, size := c.at(s, end)
		if class&punct != 0 || size == 1 && class&symbol != 0 {
			if end == i {
				end += size
			}
			break
		}
		if class&space != 0 {
			break
		}
		end += size
	}
	return i, end
}
