package tokenizer

import "unicode/utf8"

// A unigram is a unigram language model: of all ways to write a text as pieces it takes the one
// with the highest sum of scores. Source: Kudo 2018, arXiv:1804.10959, section 3.2;
// Model::EncodeOptimized in google/sentencepiece@d8f7418, src/unigram_model.cc.
type unigram struct {
	trie     byteTrie
	vocab    map[string]int32
	scores   []float64 // by id
	unkScore float64   // of a character that is no piece
	unk      int32
	bytes    *byteTokens // stand for the characters of an unknown run; nil: unk does
	single   bool        // sums are rounded to float32
}

// A unigramModel describes a unigram.
type unigramModel struct {
	pieces []string  // by id; "" for those that match no text
	scores []float64 // by id
	unk    int32
	bytes  *byteTokens // stand for the characters of an unknown run, if all are there; nil: unk does
	// unkScore is the score of a character that is no piece: unkPenalty below the worst piece's.
	unkScore float64
	// single: as sentencepiece does, and the tokenizers library does not, sums of scores are rounded
	// to float32 once they are best, and unknown characters stay so even where two make a piece.
	single bool
}

// unkPenalty is what the score of an unknown character is below that of the worst piece.
const unkPenalty = 10

// newUnigram returns the model.
func newUnigram(x unigramModel) *unigram {
	u := &unigram{trie: newByteTrie(), scores: x.scores, unkScore: x.unkScore, unk: x.unk, bytes: x.bytes,
		single: x.single, vocab: make(map[string]int32, len(x.pieces))}
	for id, p := range x.pieces {
		if p == "" {
			continue
		}
		u.trie.insert(p, int32(id))
		u.vocab[p] = int32(id)
	}
	return u
}

// A pathNode is the end of the best path to a byte of a piece.
type pathNode struct {
	score float64
	start int32 // where the last piece of the path begins, -1: no path yet
	id    int32 // the last piece, -1: unknown
}

// encode implements model.
func (u *unigram) encode(w *word, dst []int32, piece []byte) []int32 {
	u.viterbi(w, piece)
	// The path is read backwards: pieces go to w.ids with their ends, then to dst in order.
	w.ids = w.ids[:0]
	for end := int32(len(piece)); end > 0; {
		n := w.nodes[end]
		last := end
		for end = n.start; n.id < 0 && end > 0 && w.nodes[end].id < 0; {
			end = w.nodes[end].start // a run of unknown characters is one token
		}
		w.ids = append(w.ids, n.id, last)
	}
	from := int32(0)
	for i := len(w.ids) - 2; i >= 0; i -= 2 {
		id, to := w.ids[i], w.ids[i+1]
		if id >= 0 {
			dst = append(dst, id)
			w.cover(int(from), int(to))
		} else {
			dst = u.unknown(w, dst, piece, int(from), int(to))
		}
		from = to
	}
	return dst
}

// unknown appends what stands for the unknown characters piece[from:to].
func (u *unigram) unknown(w *word, dst []int32, piece []byte, from, to int) []int32 {
	s := piece[from:to]
	id, ok := u.vocab[string(s)] // two unknown characters may score more than the piece of both
	ok = ok && !u.single
	if !ok && u.bytes.all(s) {
		for _, b := range s {
			dst = append(dst, u.bytes[b])
			w.cover(from, to)
		}
		return dst
	}
	if !ok {
		id = u.unk
	}
	w.cover(from, to)
	return append(dst, id)
}

// viterbi finds the best path to every character boundary of a piece.
func (u *unigram) viterbi(w *word, piece []byte) {
	w.nodes = grow(w.nodes, len(piece)+1)
	for i := range w.nodes {
		w.nodes[i].start = -1
	}
	w.nodes[0].score = 0
	for at := 0; at < len(piece); {
		_, size := utf8.DecodeRune(piece[at:])
		score, known := w.nodes[at].score, false
		state := int32(0)
		for i := at; i < len(piece); i++ {
			if state = u.trie.child(state, piece[i]); state == 0 {
				break
			}
			if id := u.trie.value[state]; id >= 0 {
				u.reach(w, at, i+1, score+u.scores[id], id)
				known = known || i+1 == at+size
			}
		}
		if !known {
			if score += u.unkScore; u.single {
				score = float64(float32(score))
			}
			u.reach(w, at, at+size, score, -1)
		}
		at += size
	}
}

// reach offers a path to piece[:end] whose last piece begins at start.
func (u *unigram) reach(w *word, start, end int, score float64, id int32) {
	if n := &w.nodes[end]; n.start < 0 || score > n.score {
		if u.single {
			score = float64(float32(score))
		}
		*n = pathNode{score, int32(start), id}
	}
}
