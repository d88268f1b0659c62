package tokenizer

import (
	"sync"
	"unicode"
	"unicode/utf8"
)

// Bits of a character's class.
const (
	letter = 1 << iota // \p{L}
	number             // \p{N}
	mark               // \p{M}
	punct              // \p{P}
	symbol             // \p{S}
	space              // \s, White_Space
	upper              // \p{Lu} and \p{Lt}
	lower              // \p{Ll}
)

// classes holds the class bits of the code points below its length; of those above, only the
// variation selectors U+E0100-E01EF are assigned, and they are marks.
type classes [0x32400]uint8

// of returns the class bits of r.
func (c *classes) of(r rune) uint8 {
	if uint32(r) < uint32(len(c)) {
		return c[r]
	}
	if 0xE0100 <= r && r <= 0xE01EF {
		return mark
	}
	return 0
}

// at returns the class bits of the character at s[i] and its length in bytes.
func (c *classes) at(s []byte, i int) (class uint8, size int) {
	if b := s[i]; b < utf8.RuneSelf {
		return c[b], 1
	}
	r, size := utf8.DecodeRune(s[i:])
	return c.of(r), size
}

// while returns the end of the run of characters from s[i] that have one of the bits.
func (c *classes) while(s []byte, i int, bits uint8) int {
	for i < len(s) {
		class, size := c.at(s, i)
		if class&bits == 0 {
			break
		}
		i += size
	}
	return i
}

// until returns the end of the run of characters from s[i] that have none of the bits.
func (c *classes) until(s []byte, i int, bits uint8) int {
	for i < len(s) {
		class, size := c.at(s, i)
		if class&bits != 0 {
			break
		}
		i += size
	}
	return i
}

// loadClasses builds the class table on first use.
var loadClasses = sync.OnceValue(func() *classes {
	c := new(classes)
	for _, t := range []struct {
		table *unicode.RangeTable
		bits  uint8
	}{
		{unicode.L, letter}, {unicode.N, number}, {unicode.M, mark}, {unicode.P, punct}, {unicode.S, symbol},
		{unicode.White_Space, space}, {unicode.Lu, upper}, {unicode.Lt, upper}, {unicode.Ll, lower},
	} {
		for _, r := range t.table.R16 {
			for p := uint32(r.Lo); p <= uint32(r.Hi); p += uint32(r.Stride) {
				c[p] |= t.bits
			}
		}
		for _, r := range t.table.R32 {
			for p := r.Lo; p <= r.Hi && p < uint32(len(c)); p += r.Stride {
				c[p] |= t.bits
			}
		}
	}
	for _, r := range unicode16 {
		for p := r.lo; p <= r.hi; p++ {
			c[p] |= r.bits
		}
	}
	return c
})

// isWord reports whether r is a word character, \w: Alphabetic, Mark, Decimal_Number,
// Connector_Punctuation or Join_Control.
func isWord(r rune) bool {
	if unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic, unicode.Join_Control) {
		return true
	}
	for _, n := range unicode16 {
		if n.lo <= r && r <= n.hi {
			return n.bits&(letter|mark|number) != 0
		}
	}
	return false
}

// isNonspacing reports whether r has category Mn.
func isNonspacing(r rune) bool {
	if r < 0x300 || unicode.Is(unicode.Mn, r) {
		return r >= 0x300
	}
	for _, x := range nonspacing16 {
		if x[0] <= r && r <= x[1] {
			return true
		}
	}
	return false
}

// isSpace reports whether r has the property White_Space.
func isSpace(r rune) bool {
	return r == ' ' || '\t' <= r && r <= '\r' || r >= 0x85 && unicode.Is(unicode.White_Space, r)
}

// lowerExtra maps the upper-case letters of Unicode 16 and 17 that Go's tables may lack.
var lowerExtra = []struct{ lo, hi, delta rune }{
	{0x1C89, 0x1C89, 1}, {0xA7CB, 0xA7CB, 0x264 - 0xA7CB}, {0xA7CC, 0xA7CC, 1}, {0xA7CE, 0xA7CE, 1},
	{0xA7D2, 0xA7D2, 1}, {0xA7D4, 0xA7D4, 1}, {0xA7DA, 0xA7DA, 1}, {0xA7DC, 0xA7DC, 0x19B - 0xA7DC},
	{0x10D50, 0x10D65, 0x20}, {0x16EA0, 0x16EB8, 0x1B},
}

// toLower maps one character to lower case; U+0130 is the caller's, its image is two characters.
func toLower(r rune) rune {
	if l := unicode.ToLower(r); l != r || r < 0x1C89 {
		return l
	}
	for _, x := range lowerExtra {
		if x.lo <= r && r <= x.hi {
			return r + x.delta
		}
	}
	return r
}
