package tokenizer

import (
	"bytes"
	"strings"
)

// CleanUp takes the spaces out that a tokenizer puts before punctuation and English contractions:
// what the transformers library does to decoded text where clean_up_tokenization_spaces is set.
// The WordPiece decoder does it to every token.
// Source: cleanup in huggingface/tokenizers@v0.23.1, tokenizers/src/decoders/wordpiece.rs.
func CleanUp(s string) string {
	if !strings.Contains(s, " ") {
		return s
	}
	for _, r := range [...][2]string{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"},
		{" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}} {
		s = strings.ReplaceAll(s, r[0], r[1])
	}
	return s
}

// tidy is what InternLM2Tokenizer does to every decoded text, in this order.
// Source: clean_up_tokenization in huggingface/transformers@v4.37.2, src/transformers/tokenization_utils_base.py.
var tidy = [...][2]string{{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"},
	{" 'm", "'m"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}}

// tidied is every text that tidy shortens at once, replacements of what others left included.
var tidied = [...]string{" .", " ?", " !", " ,", " ' ", " n't", " n ' t",
	" 'm", "  ' m", " 's", "  ' s", " 've", "  ' ve", " 're", "  ' re"}

const longestTidied = 6

// A cleaner tidies a text that arrives in pieces.
type cleaner struct {
	held []byte // that what follows may change
	out  []byte
}

// next returns what a piece settles, without the text held back; final settles all of it.
func (c *cleaner) next(piece []byte, final bool) []byte {
	c.held = append(c.held, piece...)
	n := len(c.held)
	if !final {
		for n > max(0, len(c.held)-longestTidied) && !c.settled(n) {
			n--
		}
		if !c.settled(n) {
			return nil
		}
	}
	c.out = append(c.out[:0], c.held[:n]...)
	c.held = append(c.held[:0], c.held[n:]...)
	for _, r := range tidy {
		if bytes.Contains(c.out, []byte(r[0])) {
			c.out = bytes.ReplaceAll(c.out, []byte(r[0]), []byte(r[1]))
		}
	}
	return c.out
}

// settled reports whether no replacement of the text held back, or of a text that goes on from it,
// can cover both sides of byte n.
func (c *cleaner) settled(n int) bool {
	for at := max(0, n-longestTidied+1); at < n; at++ {
		for _, x := range tidied {
			if at+len(x) > n && agrees(c.held[at:], x) {
				return false
			}
		}
	}
	return true
}

// agrees reports whether text begins with the pattern, or may after more bytes.
func agrees(text []byte, pattern string) bool {
	n := min(len(text), len(pattern))
	return string(text[:n]) == pattern[:n]
}
