package tokenizer

import (
	"bytes"
	"unicode/utf8"
)

// A sentencePieceNorm is the normalizer of a sentencepiece model: replacements of a table, then
// spaces dropped, put in front and written as marks.
//
// Source: Normalizer::Normalize in google/sentencepiece@180a6fb, src/normalizer.cc.
type sentencePieceNorm struct {
	table  *charsmap // nil: none
	whole  *byteTrie // user-defined pieces, which stay as they are; nil: none
	prefix bool      // put a space before a text that has other characters
	trim   bool      // drop spaces at the ends, and all but one elsewhere
	mark   string    // what is written for a space
}

// normalizer sets the normalizer, and the stage that puts a space before the first word only.
func (m *sentencePieceModel) normalizer(t *Tokenizer, opts SentencePieceOptions) error {
	n := &sentencePieceNorm{prefix: m.prefix, trim: m.trim, mark: wordMark}
	if len(m.charsmap) > 0 {
		var err error
		if n.table, err = newCharsmap(m.charsmap); err != nil {
			return err
		}
	}
	for _, p := range m.pieces {
		if p.kind == pieceUserDefined {
			if n.whole == nil {
				trie := newByteTrie()
				n.whole = &trie
			}
			n.whole.insert(p.text, 0)
		}
	}
	if opts.PrefixFirst && m.prefix {
		n.prefix, n.mark = false, " "
		t.stages = append(t.stages, stage{meta: &metaspace{mark: wordMark, first: true}})
	}
	t.norm = append(t.norm, n)
	return nil
}

// unchanged implements normalizer.
func (x *sentencePieceNorm) unchanged(s []byte) int {
	if x.prefix || x.trim || x.table != nil || len(s) == 0 {
		return 0
	}
	if i := bytes.IndexByte(s, ' '); i >= 0 && x.mark != " " {
		return i
	}
	return len(s)
}

// normalize implements normalizer.
func (x *sentencePieceNorm) normalize(n *normScratch, at int) {
	for x.trim && at < len(n.src) {
		size, text := x.next(n.src[at:])
		if string(text) != " " {
			break
		}
		at += size
	}
	if at == len(n.src) {
		return
	}
	if x.prefix {
		x.write(n, ' ', at)
	}
	if x.table == nil && x.whole == nil && !x.trim {
		x.spaces(n, at)
		return
	}
	space := x.trim // whether what was written ends in a space that is not to be repeated
	for at < len(n.src) {
		size, text := x.next(n.src[at:])
		drop := 0
		for space && drop < len(text) && text[drop] == ' ' {
			drop++
		}
		if drop < len(text) {
			x.replace(n, at, at+size, text, drop)
			space = x.trim && text[len(text)-1] == ' '
		}
		at += size
	}
	for x.trim && bytes.HasSuffix(n.out, []byte(x.mark)) {
		n.out = n.out[:len(n.out)-len(x.mark)]
		n.outAl = cut(n.outAl, 0, len(n.out))
	}
}

// spaces writes src[at:], where nothing is replaced but spaces.
func (x *sentencePieceNorm) spaces(n *normScratch, at int) {
	for at < len(n.src) {
		if n.src[at] == ' ' {
			x.write(n, ' ', at)
			at++
			continue
		}
		end := len(n.src)
		if i := bytes.IndexByte(n.src[at:], ' '); i >= 0 {
			end = at + i
		}
		n.keep(at, end)
		at = end
	}
}

// next returns the length of the part of s that is replaced as one, and its replacement.
func (x *sentencePieceNorm) next(s []byte) (size int, text []byte) {
	if x.whole != nil {
		if _, n := x.whole.longest(s); n > 0 {
			return n, s[:n]
		}
	}
	if x.table != nil {
		if n, text := x.table.match(s); n > 0 {
			return n, text
		}
	}
	_, size = utf8.DecodeRune(s)
	return size, s[:size]
}

// replace writes text, without its first drop bytes, for src[at:end]. The characters of the source
// stand for those of the text in order, and the last of them for all that are left.
func (x *sentencePieceNorm) replace(n *normScratch, at, end int, text []byte, drop int) {
	for i, r := range string(text) {
		if i >= drop {
			x.write(n, r, at)
		}
		if _, size := utf8.DecodeRune(n.src[at:]); at+size < end {
			at += size
		}
	}
}

// write writes a character that comes from where byte at of the source does, a space as a mark.
func (x *sentencePieceNorm) write(n *normScratch, r rune, at int) {
	if r != ' ' {
		n.put(r, at)
		return
	}
	for _, r := range x.mark {
		n.put(r, at)
	}
}

// growth implements normalizer.
func (x *sentencePieceNorm) growth() int {
	most := 2 * len(wordMark)
	if x.table != nil {
		most = max(most, len(wordMark)*x.table.growth())
	}
	return most
}
