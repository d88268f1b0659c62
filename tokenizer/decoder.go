package tokenizer

import (
	"strconv"
	"strings"
)

// A place says where a token stands in the text that is decoded.
type place struct{ first, last bool }

// A decodeStep makes text of the content of a token.
type decodeStep func(content string, at place) string

// A decoder says how tokens become text: each by its steps, then joined as bytes, of which
// ill-formed UTF-8 becomes U+FFFD. The zero value takes contents as they are.
type decoder struct {
	steps   []decodeStep
	perByte bool // one U+FFFD for each ill-formed byte, not for each maximal subsequence
	holds   bool // the last token is another text there: a stream keeps one token back

	// At most start characters trim at the beginning of the text, and stop at its end, are dropped.
	trim        string
	start, stop int
	runs        bool // the text begins anew after a special token, and after one that was only trim

	cleanUp bool // the joined text is tidied: see cleaner

	fused bool // while a file is read: a step sees the whole text from here on
}

// text returns what a token becomes.
func (d *decoder) text(content string, at place) string {
	for _, step := range d.steps {
		content = step(content, at)
	}
	return content
}

// decodeSpaced is the step without a decoder: contents with spaces between them.
func decodeSpaced(s string, at place) string {
	if at.first {
		return s
	}
	return " " + s
}

// decodeByteLevel is the step of byte-level models: symbols become bytes.
func decodeByteLevel(s string, _ place) string { return decodeSymbols(s) }

// decodeByteToken makes a byte of <0xNN>.
func decodeByteToken(s string, _ place) string {
	if b, ok := byteToken(s); ok {
		return string([]byte{b})
	}
	return s
}

// byteToken returns the byte that <0xNN> stands for.
func byteToken(s string) (byte, bool) {
	if len(s) != 6 || s[:3] != "<0x" || s[5] != '>' {
		return 0, false
	}
	b, err := strconv.ParseUint(s[3:5], 16, 8)
	return byte(b), err == nil
}

// decodeReplace returns a step that replaces the matches of a pattern.
func decodeReplace(m matcher, content string) decodeStep {
	return func(s string, _ place) string {
		matches, _ := m.all(nil, []byte(s), 0, nil)
		var b strings.Builder
		at := 0
		for _, x := range matches {
			b.WriteString(s[at:x.start])
			b.WriteString(content)
			at = x.end
		}
		if at == 0 {
			return s
		}
		b.WriteString(s[at:])
		return b.String()
	}
}

// decodeMetaspace returns a step that makes spaces of marks. With prefix, the first token loses
// all of its marks, as in the library.
func decodeMetaspace(mark string, prefix bool) decodeStep {
	return func(s string, at place) string {
		if at.first && prefix {
			return strings.ReplaceAll(s, mark, "")
		}
		return strings.ReplaceAll(s, mark, " ")
	}
}

// decodeStrip returns a step that drops characters at both ends of each token.
func decodeStrip(char string, start, stop int) decodeStep {
	return func(s string, _ place) string {
		for i := 0; i < start && strings.HasPrefix(s, char); i++ {
			s = s[len(char):]
		}
		for i := 0; i < stop && strings.HasSuffix(s, char); i++ {
			s = s[:len(s)-len(char)]
		}
		return s
	}
}

// decodeWordPiece returns a step that puts spaces between words; prefix marks a token that
// continues one.
func decodeWordPiece(prefix string, cleanUp bool) decodeStep {
	return func(s string, at place) string {
		if !at.first {
			if rest, ok := strings.CutPrefix(s, prefix); ok {
				s = rest
			} else {
				s = " " + s
			}
		}
		if cleanUp {
			s = CleanUp(s)
		}
		return s
	}
}

// decodeSuffix returns a step that makes spaces, but not at the end of the text, of a suffix.
func decodeSuffix(suffix string) decodeStep {
	return func(s string, at place) string {
		if at.last {
			return strings.ReplaceAll(s, suffix, "")
		}
		return strings.ReplaceAll(s, suffix, " ")
	}
}

// spell sets what the tokens decode to.
func (t *Tokenizer) spell() {
	t.first = make(map[int32]string)
	for id := range t.tokens {
		tok := &t.tokens[id]
		if !tok.exists {
			continue
		}
		content := t.spelling(int32(id))
		tok.bytes = t.decode.text(content, place{})
		if first := t.decode.text(content, place{first: true}); first != tok.bytes {
			t.first[int32(id)] = first
		}
	}
}

// spelling returns the content of a token that is decoded: that of an added token may be
// normalized.
func (t *Tokenizer) spelling(id int32) string {
	if s, ok := t.normalized[id]; ok {
		return s
	}
	return t.tokens[id].content
}
