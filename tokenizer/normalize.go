package tokenizer

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A normalizer is one step of normalization. It is immutable.
type normalizer interface {
	// unchanged returns the length of a prefix of s that the step leaves alone and that does not
	// influence what follows.
	unchanged(s []byte) int
	// normalize writes what becomes of n.src[from:], with keep and put.
	normalize(n *normScratch, from int)
	// growth returns how many bytes one byte may become at most.
	growth() int
}

// A normScratch is the scratch memory of a normalization.
type normScratch struct {
	src []byte   // the text before a step
	al  []extent // where its bytes come from, or nil

	out   []byte
	outAl []extent
	heads [2]int // bytes of src, and of out, that come from the first character of the whole text

	buf     [2][]byte // out of alternate steps
	which   int
	runes   []normRune
	matches []extent
	err     error
}

// normalize applies the steps to s; al and head are as in encoder.split. The results are valid until
// the next call.
func (n *normScratch) normalize(steps []normalizer, s []byte, al []extent, head int) ([]byte, []extent, int) {
	for _, step := range steps {
		done := step.unchanged(s)
		if done == len(s) {
			continue
		}
		n.src, n.al, n.out, n.outAl, n.heads = s, al, n.buf[n.which][:0], nil, [2]int{head, 0}
		n.keep(0, done)
		step.normalize(n, done)
		n.buf[n.which] = n.out
		n.which ^= 1
		s, al, head = n.out, n.outAl, n.heads[1]
		if n.al != nil && al == nil {
			al = []extent{}
		}
	}
	return s, al, head
}

// keep writes src[from:to].
func (n *normScratch) keep(from, to int) {
	if from < n.heads[0] {
		n.heads[1] = len(n.out) + min(to, n.heads[0]) - from
	}
	n.out = append(n.out, n.src[from:to]...)
	if n.al != nil {
		n.outAl = append(n.outAl, n.al[from:to]...)
	}
}

// put writes r, which comes from where byte src[at] comes from; -1 stands for the place before
// the text.
func (n *normScratch) put(r rune, at int) {
	n.out = utf8.AppendRune(n.out, r)
	if at < n.heads[0] {
		n.heads[1] = len(n.out)
	}
	if n.al == nil {
		return
	}
	ext := extent{n.al[0].start, n.al[0].start}
	if at >= 0 {
		ext = n.al[at]
	}
	for range utf8.RuneLen(r) {
		n.outAl = append(n.outAl, ext)
	}
}

// each calls fn for the characters of src[from:] and their places.
func (n *normScratch) each(from int, fn func(r rune, i, size int)) {
	for i := from; i < len(n.src); {
		r, size := utf8.DecodeRune(n.src[i:])
		fn(r, i, size)
		i += size
	}
}

// namedNormalizers are the normalizers without parameters.
var namedNormalizers = map[string]normalizer{
	"NFC": form(norm.NFC), "NFD": form(norm.NFD), "NFKC": form(norm.NFKC), "NFKD": form(norm.NFKD),
	"Lowercase": lowercase{}, "StripAccents": filter{isMark}, "Nmt": mapping(nmtImage),
}

// lowercase maps characters to lower case, one by one: a final sigma has no rule.
type lowercase struct{}

func (lowercase) unchanged(s []byte) int {
	n := 0
	for n < len(s) && s[n] < utf8.RuneSelf && (s[n] < 'A' || 'Z' < s[n]) {
		n++
	}
	return n
}

func (lowercase) normalize(n *normScratch, from int) {
	n.each(from, func(r rune, i, size int) {
		if r == 'İ' {
			n.put('i', i)
			n.put('\u0307', i+size-1)
			return
		}
		n.put(toLower(r), i)
	})
}

func (lowercase) growth() int { return 2 }

// A filter drops characters.
type filter struct{ drop func(rune) bool }

func (f filter) unchanged(s []byte) int {
	if n := bytes.IndexFunc(s, f.drop); n >= 0 {
		return n
	}
	return len(s)
}

func (f filter) normalize(n *normScratch, from int) {
	n.each(from, func(r rune, i, size int) {
		if !f.drop(r) {
			n.keep(i, i+size)
		}
	})
}

func (filter) growth() int { return 1 }

// A strip drops white space at the ends.
type strip struct{ left, right bool }

func (st strip) unchanged(s []byte) int {
	if len(s) == 0 {
		return 0
	}
	if r, _ := utf8.DecodeRune(s); st.left && isSpace(r) {
		return 0
	}
	if r, _ := utf8.DecodeLastRune(s); st.right && isSpace(r) {
		return 0
	}
	return len(s)
}

func (st strip) normalize(n *normScratch, _ int) {
	from, to := 0, len(n.src)
	if st.left {
		from = spacesAfter(n.src, 0)
	}
	if st.right {
		to = spacesBefore(n.src, from, to)
	}
	n.keep(from, to)
}

func (strip) growth() int { return 1 }

// A prepend puts a text before one that is not empty.
type prepend string

func (prepend) unchanged([]byte) int { return 0 }

func (p prepend) normalize(n *normScratch, _ int) {
	if len(n.src) == 0 {
		return
	}
	for _, r := range p {
		n.put(r, 0)
	}
	n.keep(0, len(n.src))
}

func (prepend) growth() int { return 1 }

// A replace puts a text in the place of the matches of a pattern.
type replace struct {
	pattern matcher
	literal string // the pattern, if it is a string
	content string
}

func (r replace) unchanged(s []byte) int {
	if len(s) == 0 || r.pattern.re != nil {
		return 0
	}
	start, end := r.pattern.find(loadClasses(), s, 0)
	if start == end {
		return len(s)
	}
	return start
}

func (r replace) normalize(n *normScratch, from int) {
	at := from
	n.matches, n.err = r.pattern.all(n.matches[:0], n.src, from, n.err)
	for _, m := range n.matches {
		n.keep(at, m.start)
		for _, c := range r.content {
			n.put(c, m.end-1)
		}
		at = m.end
	}
	n.keep(at, len(n.src))
}

func (r replace) growth() int { return max(1, len(r.content)) }

// nmtImage maps r as sentencepiece prepares texts for translation: some control and format characters
// go, other white space becomes a space.
// Source: do_nmt in huggingface/tokenizers@v0.23.1, tokenizers/src/normalizers/unicode.rs.
func nmtImage(r rune) rune {
	switch {
	case 1 <= r && r <= 8, r == 0xB, 0xE <= r && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
		return -1
	case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, 0x200B <= r && r <= 0x200F, r == 0x2028, r == 0x2029,
		r == 0x2581, r == 0xFEFF, r == 0xFFFD:
		return ' '
	}
	return r
}

// isMark reports whether r is a combining mark, \p{M}.
func isMark(r rune) bool { return r >= 0x300 && loadClasses().of(r)&mark != 0 }

// A mapping replaces characters by others; those that it maps to -1 go.
type mapping func(rune) rune

func (m mapping) unchanged(s []byte) int {
	if n := bytes.IndexFunc(s, func(r rune) bool { return m(r) != r }); n >= 0 {
		return n
	}
	return len(s)
}

func (m mapping) normalize(n *normScratch, from int) {
	n.each(from, func(r rune, i, _ int) {
		if to := m(r); to >= 0 {
			n.put(to, i)
		}
	})
}

func (mapping) growth() int { return 1 }
