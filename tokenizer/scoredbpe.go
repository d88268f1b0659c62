package tokenizer

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// A scoredBPE describes a model whose merges are its pieces themselves: the adjacent pair whose
// concatenation is the piece of the highest score is joined, the leftmost on ties.
// Source: Kudo & Richardson 2018, arXiv:1808.06226; Model::Encode in google/sentencepiece@d8f7418,
// src/bpe_model.cc.
type scoredBPE struct {
	pieces []string  // by id; "" for those that match no text: control, byte and unused pieces
	scores []float32 // by id
	unk    int32
	bytes  *byteTokens // stand for a character that is in no piece; nil: unk does
}

// maxScoredPiece bounds the length of a scored piece in bytes: every cut of it is looked up.
const maxScoredPiece = 512

// newScoredBPE returns the model. Pieces longer than maxScoredPiece match only where they are
// single characters, that is never; the caller refuses them.
func newScoredBPE(x scoredBPE) *bpe {
	vocab := make(map[string]int32, len(x.pieces))
	for id, p := range x.pieces {
		if _, ok := vocab[p]; p != "" && !ok {
			vocab[p] = int32(id)
		}
	}
	m := newBPE(vocab, "", "")
	m.unk, m.bytes, m.fuseUnk = x.unk, x.bytes, true
	m.lateUnk = int32(len(x.pieces))
	m.lens = make([]int32, len(x.pieces))
	single := m.lateUnk + 1 // ids of characters that are no pieces but part of some
	for id, p := range x.pieces {
		m.lens[id] = int32(len(p))
		for _, r := range p {
			if m.symbol(r, 0) >= 0 {
				continue
			}
			m.chars.set(uint64(r), uint64(single))
			if int(r) < len(m.low) {
				m.low[r] = single
			}
			single++
		}
	}
	ranks := slices.Clone(x.scores)
	slices.SortFunc(ranks, func(a, b float32) int { return cmp.Compare(b, a) })
	ranks = slices.Compact(ranks)
	for content, id := range vocab {
		if len(content) > maxScoredPiece {
			continue
		}
		rank, _ := slices.BinarySearchFunc(ranks, x.scores[id], func(e, t float32) int { return cmp.Compare(t, e) })
		for i := range content {
			left, right := m.part(content[:i]), m.part(content[i:])
			if i > 0 && left >= 0 && right >= 0 {
				m.merges.set(uint64(left)<<32|uint64(right), uint64(rank)<<32|uint64(id))
			}
		}
	}
	return m
}

// part returns the id of a piece or of a single character, or -1.
func (m *bpe) part(s string) int32 {
	if id, ok := m.vocab[s]; ok {
		return id
	}
	if r, size := utf8.DecodeRuneInString(s); size == len(s) && size > 0 {
		return m.symbol(r, 0)
	}
	return -1
}

// resolve appends the merged symbols w.ids of a piece to dst, with bytes or the unknown token for
// those that are no pieces. A run of these gives one unknown token.
func (m *bpe) resolve(w *word, dst []int32, piece []byte) []int32 {
	at, unknown := 0, false
	for _, id := range w.ids {
		if id < m.lateUnk {
			n := int(m.lens[id])
			dst = append(dst, id)
			w.cover(at, at+n)
			at, unknown = at+n, false
			continue
		}
		_, n := utf8.DecodeRune(piece[at:])
		if c := piece[at : at+n]; m.bytes.all(c) {
			for _, b := range c {
				dst = append(dst, m.bytes[b])
				w.cover(at, at+n)
			}
		} else if m.unk >= 0 && unknown && m.fuseUnk {
			if w.tracked {
				w.spans[len(w.spans)-1].end = at + n
			}
		} else if m.unk >= 0 {
			dst, unknown = append(dst, m.unk), true
			w.cover(at, at+n)
		}
		at += n
	}
	return dst
}
