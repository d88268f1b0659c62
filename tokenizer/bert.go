package tokenizer

import (
	"bytes"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A bert is the normalizer of BERT models: characters that show nothing are dropped, other white
// space becomes a space, ideographs get spaces around, accents go, letters become small.
type bert struct{ clean, chinese, accents, lower bool }

// steps returns the steps that make it up.
func (b bert) steps() (list []normalizer) {
	if b.clean {
		list = append(list, filter{isInvisible}, mapping(func(r rune) rune {
			if isSpace(r) {
				return ' '
			}
			return r
		}))
	}
	if b.chinese {
		list = append(list, spaced{})
	}
	if b.accents {
		list = append(list, form(norm.NFD), filter{isNonspacing})
	}
	if b.lower {
		list = append(list, lowercase{})
	}
	return list
}

// isInvisible reports whether r is NUL, U+FFFD or of category Cc, Cf or Co, but no white space.
func isInvisible(r rune) bool {
	if ' ' <= r && r <= '~' || r == '\t' || r == '\n' || r == '\r' {
		return false
	}
	return r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co)
}

// spaced puts spaces around ideographs.
type spaced struct{}

func (spaced) unchanged(s []byte) int {
	if n := bytes.IndexFunc(s, isIdeograph); n >= 0 {
		return n
	}
	return len(s)
}

func (spaced) normalize(n *normScratch, from int) {
	n.each(from, func(r rune, i, size int) {
		if !isIdeograph(r) {
			n.keep(i, i+size)
			return
		}
		n.put(' ', i)
		n.put(r, i+size-1)
		n.put(' ', i+size-1)
	})
}

func (spaced) growth() int { return 2 }

// isIdeograph reports whether r is in the blocks of CJK ideographs that BERT knows.
// Source: _is_chinese_char in google-research/bert@eedf571, tokenization.py.
func isIdeograph(r rune) bool {
	return r >= 0x3400 && (r <= 0x4DBF || 0x4E00 <= r && r <= 0x9FFF || 0xF900 <= r && r <= 0xFAFF ||
		0x20000 <= r && r <= 0x2A6DF || 0x2A700 <= r && r <= 0x2B73F || 0x2B740 <= r && r <= 0x2B81F ||
		0x2B920 <= r && r <= 0x2CEAF || 0x2F800 <= r && r <= 0x2FA1F)
}
