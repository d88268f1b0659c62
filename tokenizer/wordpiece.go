package tokenizer

import "unicode/utf8"

// A wordPiece cuts a word from the left into the longest tokens. Source: Schuster & Nakajima 2012,
// doi:10.1109/ICASSP.2012.6289079; WordpieceTokenizer in google-research/bert@eedf571, tokenization.py.
type wordPiece struct {
	trie   byteTrie
	inside int32 // state of the prefix of tokens that do not begin a word; -1: there are none
	unk    int32 // token of a word that cannot be cut
	limit  int   // longer words, in characters, are unknown
}

// maxWordPiece bounds the limit, since a hostile word takes time proportional to its square.
const maxWordPiece = 1 << 12

// newWordPiece returns the model.
func newWordPiece(vocab map[string]int32, prefix string, unk int32, limit int) *wordPiece {
	m := &wordPiece{trie: newByteTrie(), unk: unk, limit: limit}
	for s, id := range vocab {
		m.trie.insert(s, id)
	}
	if m.inside = m.trie.at(prefix); m.inside == 0 && prefix != "" {
		m.inside = -1
	}
	return m
}

// encode implements model.
func (m *wordPiece) encode(w *word, dst []int32, piece []byte) []int32 {
	first, spans := len(dst), len(w.spans)
	fits := utf8.RuneCount(piece) <= m.limit
	for at := 0; fits && at < len(piece); {
		state := int32(0)
		if at > 0 {
			state = m.inside
		}
		id, end := int32(-1), at
		for i := at; i < len(piece) && state >= 0; i++ {
			if state = m.trie.child(state, piece[i]); state == 0 {
				break
			}
			if v := m.trie.value[state]; v >= 0 {
				id, end = v, i+1
			}
		}
		if fits = end > at; fits {
			dst = append(dst, id)
			w.cover(at, end)
			at = end
		}
	}
	if !fits {
		w.spans = w.spans[:spans]
		dst = append(dst[:first], m.unk)
		w.cover(0, len(piece))
	}
	return dst
}
