package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// A Span is the part of a text that a token stands for: the code points from Start up to End.
type Span struct{ Start, End int }

// EncodeOffsets returns the ids of text, as [Tokenizer.Encode] does, and the part of the text that
// each stands for. Tokens of the post-processor have the empty span at 0. The code points are
// those of the text as it is read: see Encode for invalid UTF-8.
func (t *Tokenizer) EncodeOffsets(text string, opts EncodeOptions) ([]int32, []Span) {
	e := t.encoders.Get().(*encoder)
	defer e.release()
	o := &offsets{trim: t.trim, trimPrefixed: t.trimPrefixed}
	e.offsets = o
	e.encode(text, opts)
	return e.out, o.inCodePoints(e.text)
}

// An extent is the part of the text, in bytes, that a byte of a piece came from.
type extent struct{ start, end int }

// cut returns al[from:to], or nil for nil.
func cut(al []extent, from, to int) []extent {
	if al == nil {
		return nil
	}
	return al[from:to]
}

// textExtents returns the extents of the bytes of a text: that of their character.
func textExtents(s []byte) []extent {
	al := make([]extent, 0, len(s))
	for i := 0; i < len(s); {
		_, size := utf8.DecodeRune(s[i:])
		for range size {
			al = append(al, extent{i, i + size})
		}
		i += size
	}
	return al
}

// symbolExtents returns the extents of the bytes of s written in symbols, or nil for nil.
func symbolExtents(s []byte, al []extent) []extent {
	if al == nil {
		return nil
	}
	out := make([]extent, 0, 2*len(al))
	for i, b := range s {
		for range len(byteSymbols.utf8[b]) {
			out = append(out, al[i])
		}
	}
	return out
}

// offsets collects the spans of tokens.
type offsets struct {
	trim         bool // leave white space at the ends of tokens out
	trimPrefixed bool // the first word's single space may be one that was put in front
	first        int  // index of the first token that stands for text
	spans        []extent
	white        [][2]int // white space characters at the beginning and end of a token
}

// skip records n tokens that stand for no text.
func (o *offsets) skip(n int) {
	if len(o.spans) == 0 {
		o.first = n
	}
	for range n {
		o.spans, o.white = append(o.spans, extent{}), append(o.white, [2]int{})
	}
}

// add records a token whose content came from al[from:to].
func (o *offsets) add(al []extent, from, to int, content string) {
	span := extent{from, to}
	if from < to && to <= len(al) {
		span = extent{al[from].start, al[to-1].end}
	}
	o.spans, o.white = append(o.spans, span), append(o.white, whiteEnds(content))
}

// whiteEnds counts the white space, and symbols of a space, at both ends of a token's content.
func whiteEnds(content string) (n [2]int) {
	white := func(r rune) bool { return r == 'Ġ' || unicode.Is(unicode.White_Space, r) }
	for _, r := range content {
		if !white(r) {
			break
		}
		n[0]++
	}
	for s := content; s != ""; {
		r, size := utf8.DecodeLastRuneInString(s)
		if !white(r) {
			break
		}
		n[1]++
		s = s[:len(s)-size]
	}
	return n
}

// inCodePoints converts the spans to code points of the text and trims them.
func (o *offsets) inCodePoints(text []byte) []Span {
	index := make([]int, 0, len(text)+1) // code point that a byte belongs to
	n := 0
	for i := 0; i < len(text); n++ {
		_, size := utf8.DecodeRune(text[i:])
		for range size {
			index = append(index, n)
		}
		i += size
	}
	index = append(index, n)
	spans := make([]Span, len(o.spans))
	for i, x := range o.spans {
		spans[i] = Span{index[x.start], index[x.end]}
		if o.trim {
			spans[i] = o.trimmed(spans[i], i == o.first, o.white[i])
		}
	}
	return spans
}

// trimmed leaves the white space at the ends of a token out of its span. As in the library's
// ByteLevel post-processor, a single space stays if it may be one that was put before the text.
func (o *offsets) trimmed(s Span, first bool, white [2]int) Span {
	lead := white[0]
	if lead == 1 && o.trimPrefixed && (first || s.Start == 0) {
		lead = 0
	}
	s.Start = min(s.Start+lead, s.End)
	if s.End >= white[1] {
		s.End = max(s.End-white[1], s.Start)
	}
	return s
}
