package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// A ByteSpan is a part of a text: the bytes from Start up to End.
type ByteSpan struct{ Start, End int }

// Untrusted are the parts of a text in which nobody may write control tokens.
type Untrusted struct {
	Spans []ByteSpan     // in order, apart from each other
	Also  map[int32]bool // added tokens that are refused there although they are not special
}

// EncodeSpans is [Tokenizer.Encode] for a text with untrusted parts: a special token that shares a
// byte with one of them is ordinary text. Everything else is as in the whole text: other added
// tokens are found, and pieces and merges run across the ends of the parts. Where the text is not
// valid UTF-8 all of it counts as untrusted.
func (t *Tokenizer) EncodeSpans(dst []int32, text string, u Untrusted, opts EncodeOptions) []int32 {
	if len(u.Spans) > 0 && !utf8.ValidString(text) {
		u.Spans = []ByteSpan{{0, 3 * len(text)}} // U+FFFD has three bytes
	}
	e := t.encoders.Get().(*encoder)
	e.out, e.untrusted = dst, u
	e.encode(text, opts)
	dst, e.untrusted = e.out, Untrusted{}
	e.release()
	return dst
}

// traced reports whether the encoding must know where in the text its bytes come from: there are
// untrusted parts and tokens to refuse that are looked for after normalization.
func (e *encoder) traced() bool {
	return len(e.untrusted.Spans) > 0 && len(e.t.norm) > 0 && slices.ContainsFunc(e.t.normAdded.tokens, e.control)
}

// control reports whether an added token is refused in untrusted parts.
func (e *encoder) control(tok AddedToken) bool { return tok.Special || e.untrusted.Also[tok.ID] }

// touches reports whether s[start:stop] shares a byte with an untrusted part.
func (e *encoder) touches(al []extent, start, stop int) bool {
	if al != nil {
		from, to := al[start].start, al[start].end
		for _, x := range al[start:stop] {
			from, to = min(from, x.start), max(to, x.end)
		}
		start, stop = from, to
	}
	spans := e.untrusted.Spans
	i, _ := slices.BinarySearchFunc(spans, start, func(p ByteSpan, at int) int {
		if p.End <= at {
			return -1
		}
		return 1
	})
	return i < len(spans) && spans[i].Start < stop
}

// allowed returns the longest token of the set at a hit that is not refused, -1 if there is none.
func (e *encoder) allowed(set *addedSet, s []byte, h hit, al []extent) int32 {
	base := len(e.hits)
	for e.control(set.tokens[h.index]) {
		n := int(set.automaton.lens[h.index])
		if !e.touches(al, h.start, h.start+n) {
			break
		}
		e.hits = set.automaton.find(e.hits[:base], s[h.start:h.start+n-1])
		if len(e.hits) == base || e.hits[len(e.hits)-1].start > 0 {
			h.index = -1
			break
		}
		h.index = e.hits[len(e.hits)-1].index
	}
	e.hits = e.hits[:base]
	return h.index
}
