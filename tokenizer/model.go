package tokenizer

import (
	"bytes"
	"fmt"
	"iter"
	"strings"
	"unicode/utf8"
)

// A model turns pieces of text into tokens. It is immutable.
type model interface {
	// encode appends the tokens of a piece, which is not empty, to dst. If w.tracked, it sets
	// w.spans to the bytes of the piece that each stands for.
	encode(w *word, dst []int32, piece []byte) []int32
}

// A word is the scratch memory for one piece.
type word struct {
	tracked bool
	spans   []extent // [tokens] parts of the piece

	ids  []int32 // [n] symbols, then tokens
	lens []int32 // [n] lengths of the symbols in UTF-8, if tracked

	pairs      []uint64 // [n-1] the merge of each symbol with the next
	prev, next []int32  // [n] neighbours in the list of live symbols; -1 and n at the ends
	heap       []uint64 // rank<<32 | index of the left symbol
	content    []byte   // the piece in symbols

	nodes []pathNode // [bytes+1] of a unigram model
}

// cover records what a token stands for.
func (w *word) cover(from, to int) {
	if w.tracked {
		w.spans = append(w.spans, extent{from, to})
	}
}

// byteTokens are the tokens <0xNN> of single bytes, -1 where there is none.
type byteTokens [256]int32

// newByteTokens finds the tokens of single bytes in a vocabulary.
func newByteTokens(vocab map[string]int32) *byteTokens {
	b := new(byteTokens)
	for i := range b {
		b[i] = -1
		if id, ok := vocab[fmt.Sprintf("<0x%02X>", i)]; ok {
			b[i] = id
		}
	}
	return b
}

// all reports whether every byte of s has a token. A nil table has none.
func (b *byteTokens) all(s []byte) bool {
	if b == nil {
		return false
	}
	for _, c := range s {
		if b[c] < 0 {
			return false
		}
	}
	return true
}

// cuts are places where a piece of text can be cut without changing its tokens: before a mark
// U+2581 after a character that no token of the model has before one. Words then meet the cache.
type cuts struct {
	allowed bool
	joined  map[rune]bool // characters before a mark inside a token
}

const wordMark = "\u2581"

// joinedBefore returns the characters before a mark in the vocabulary of a model whose tokens stand for their contents.
func joinedBefore(contents iter.Seq[string]) map[rune]bool {
	joined := make(map[rune]bool)
	for s := range contents {
		for at := 0; ; at += len(wordMark) {
			n := strings.Index(s[at:], wordMark)
			if n < 0 {
				break
			}
			if at += n; at > 0 {
				before, _ := utf8.DecodeLastRuneInString(s[:at])
				joined[before] = true
			}
		}
	}
	return joined
}

// next returns the length of the part of s before the first cut.
func (c *cuts) next(s []byte) int {
	if len(s) > maxPiece {
		s = s[:maxPiece]
	}
	if !c.allowed {
		return len(s)
	}
	for i := 1; i < len(s); {
		n := bytes.Index(s[i:], []byte(wordMark))
		if n < 0 {
			break
		}
		i += n
		if before, _ := utf8.DecodeLastRune(s[:i]); !c.joined[before] {
			return i
		}
		i += len(wordMark)
	}
	return len(s)
}
