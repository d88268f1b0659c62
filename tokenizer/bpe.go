package tokenizer

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A bpe is a byte-pair encoding model.
//
// Of all adjacent pairs of symbols, the one with the lowest rank is joined, the leftmost on ties,
// until no pair has a merge. Source: Sennrich et al. 2016, arXiv:1508.07909, section 3.2.
type bpe struct {
	vocab  map[string]int32
	merges table // left<<32 | right -> rank<<32 | joined

	// raw: pieces are bytes, each of which is a symbol, that of byteSymbols. Otherwise they are
	// text, each character of which is a symbol.
	raw            bool
	prefix, suffix string      // glued to every symbol but the first; to the last symbol
	low            [512]int32  // tokens of the symbols below U+0200 without prefix and suffix, or -1
	chars          table       // symbol | place<<21 -> token
	bytes          *byteTokens // stand for a symbol that has no token; nil: none do

	complete     bool   // pieces are raw, and every byte has a token
	unk          int32  // token of a symbol without token and byte tokens; -1: such symbols vanish
	unkMissing   string // unk_token, if it is not in the vocabulary
	fuseUnk      bool   // a run of unknown symbols gives one token
	ignoreMerges bool   // a piece that is in the vocabulary is that token

	// lateUnk is 0, or, for models of scored pieces, the number of pieces: symbols that are no
	// pieces have ids from there on, take part in merging, and become bytes or unknown after it.
	lateUnk int32
	lens    []int32 // [lateUnk] lengths of the pieces in bytes
}

// Places of a symbol in a piece, where prefix or suffix give it another token.
const (
	placeInside = 1 << iota // not the first: with prefix
	placeLast               // with suffix
)

// newBPE returns a model without merges. Of vocab, the tokens of single symbols are looked up
// with prefix and suffix.
func newBPE(vocab map[string]int32, prefix, suffix string) *bpe {
	m := &bpe{vocab: vocab, prefix: prefix, suffix: suffix, unk: -1, merges: newTable(0), chars: newTable(0)}
	for i := range m.low {
		m.low[i] = -1
	}
	for content, id := range vocab {
		if len(content) > len(prefix)+utf8.UTFMax+len(suffix) {
			continue // more than one character
		}
		for place := range 4 {
			s, ok := content, true
			if place&placeInside != 0 {
				s, ok = strings.CutPrefix(s, prefix)
				ok = ok && prefix != ""
			}
			if ok && place&placeLast != 0 {
				s, ok = strings.CutSuffix(s, suffix)
				ok = ok && suffix != ""
			}
			if r, size := utf8.DecodeRuneInString(s); ok && size == len(s) && size > 0 {
				m.chars.set(uint64(r)|uint64(place)<<21, uint64(id))
				if place == 0 && int(r) < len(m.low) {
					m.low[r] = id
				}
			}
		}
	}
	return m
}

// setRaw makes the pieces bytes.
func (m *bpe) setRaw() {
	m.raw, m.complete = true, m.prefix == "" && m.suffix == ""
	for _, s := range byteSymbols.utf8 {
		_, ok := m.vocab[s]
		m.complete = m.complete && ok
	}
}

// mayFail reports whether there are pieces that need an unknown token.
func (m *bpe) mayFail() bool {
	if m.complete {
		return false
	}
	if !m.raw || m.prefix != "" || m.suffix != "" {
		return m.bytes == nil || slices.Contains(m.bytes[:], -1)
	}
	for b, s := range byteSymbols.utf8 {
		if m.low[byteSymbols.rune[b]] < 0 && !m.bytes.all([]byte(s)) {
			return true
		}
	}
	return false
}

// symbol returns the token of a symbol at a place, or -1.
func (m *bpe) symbol(r rune, place int) int32 {
	if place == 0 && int(r) < len(m.low) {
		return m.low[r]
	}
	if id := m.chars.get(uint64(r) | uint64(place)<<21); id != none {
		return int32(id)
	}
	return -1
}

// encode implements model. Spans are in bytes of the symbols.
func (m *bpe) encode(w *word, dst []int32, piece []byte) []int32 {
	if m.ignoreMerges {
		if id, ok := m.whole(w, piece); ok {
			w.cover(0, len(w.content))
			return append(dst, id)
		}
	}
	m.symbols(w, piece)
	if len(w.ids) <= shortPiece && !w.tracked {
		m.mergeShort(w)
		if m.lateUnk > 0 {
			return m.resolve(w, dst, piece)
		}
		return append(dst, w.ids...)
	}
	m.mergeLong(w)
	if m.lateUnk > 0 {
		w.compact()
		return m.resolve(w, dst, piece)
	}
	from := 0
	for i := int32(0); int(i) < len(w.ids); i = w.next[i] {
		dst = append(dst, w.ids[i])
		if w.tracked {
			to := from
			for _, n := range w.lens[i:w.next[i]] {
				to += int(n)
			}
			w.cover(from, to)
			from = to
		}
	}
	return dst
}

// compact moves the live symbols to the front.
func (w *word) compact() {
	n := 0
	for i := int32(0); int(i) < len(w.ids); i = w.next[i] {
		w.ids[n] = w.ids[i]
		n++
	}
	w.ids = w.ids[:n]
}

// whole returns the token of a whole piece and sets w.content to the piece in symbols.
func (m *bpe) whole(w *word, piece []byte) (int32, bool) {
	w.content = w.content[:0]
	if !m.raw {
		w.content = append(w.content, piece...)
	} else {
		for _, b := range piece {
			w.content = append(w.content, byteSymbols.utf8[b]...)
		}
	}
	id, ok := m.vocab[string(w.content)]
	return id, ok
}

// symbols sets w.ids, and w.lens if w.tracked, to the symbols of a piece.
func (m *bpe) symbols(w *word, piece []byte) {
	if m.complete && !w.tracked {
		w.ids = grow(w.ids, len(piece))
		for i, b := range piece {
			w.ids[i] = m.low[byteSymbols.rune[b]]
		}
		return
	}
	w.ids, w.lens = w.ids[:0], w.lens[:0]
	unknown := int32(0) // length of the unknown symbols not yet written
	for i := 0; i < len(piece); {
		r, size, n := byteSymbols.rune[piece[i]], 1, 0
		if m.raw {
			n = utf8.RuneLen(r)
		} else {
			r, size = utf8.DecodeRune(piece[i:])
			n = size
		}
		place := 0
		if i > 0 && m.prefix != "" {
			place |= placeInside
		}
		if i += size; i == len(piece) && m.suffix != "" {
			place |= placeLast
		}
		id := m.symbol(r, place)
		if id < 0 && m.lateUnk > 0 {
			id = m.lateUnk
		}
		if id >= 0 {
			unknown = m.flushUnknown(w, unknown)
			w.add(id, int32(n))
			continue
		}
		// Byte tokens go before a pending unknown token, as in the library.
		if m.bytes == nil || !m.addBytes(w, r, place) {
			if unknown > 0 && !m.fuseUnk {
				unknown = m.flushUnknown(w, unknown)
			}
			unknown += int32(n)
		}
	}
	m.flushUnknown(w, unknown)
}

// add appends a symbol of n bytes.
func (w *word) add(id, n int32) {
	w.ids = append(w.ids, id)
	if w.tracked {
		w.lens = append(w.lens, n)
	}
}

// flushUnknown writes the token of n bytes of unknown symbols, if any. It returns 0.
func (m *bpe) flushUnknown(w *word, n int32) int32 {
	if n > 0 && m.unk >= 0 {
		w.add(m.unk, n)
	}
	return 0
}

// addBytes writes the tokens of a symbol's bytes, if they all exist.
func (m *bpe) addBytes(w *word, r rune, place int) bool {
	s := w.content[:0]
	if place&placeInside != 0 {
		s = append(s, m.prefix...)
	}
	s = utf8.AppendRune(s, r)
	if place&placeLast != 0 {
		s = append(s, m.suffix...)
	}
	w.content = s
	if !m.bytes.all(s) {
		return false
	}
	for _, b := range s {
		w.add(m.bytes[b], 1)
	}
	return true
}
