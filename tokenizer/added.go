package tokenizer

import (
	"slices"
	"unicode/utf8"
)

// An AddedToken is a token that is found in the text before, and apart from, the model.
type AddedToken struct {
	Content    string
	ID         int32
	SingleWord bool // only where no word character is next to it
	LStrip     bool // swallows the white space on its left
	RStrip     bool // swallows the white space on its right
	Normalized bool // looked for in the normalized text, after being normalized itself
	Special    bool // a control token: [RecognizePlain] does not see it, and decoding may skip it
}

// An automaton finds every place where one of a set of strings begins, and the longest of them
// there, in time linear in the text: an Aho-Corasick automaton over the reversed strings that
// reads the text backwards. Source: Aho & Corasick 1975, doi:10.1145/360825.360855.
type automaton struct {
	byteTrie // of the reversed strings; the value of a state is that of the longest string that ends there

	fail []int32 // state of the longest proper suffix that is a state
	lens []int32 // lengths of the strings
}

// A hit is an occurrence of string number index at start.
type hit struct {
	start int
	index int32
}

// newAutomaton builds the automaton of distinct strings that are not empty.
func newAutomaton(set []string) *automaton {
	a := &automaton{byteTrie: newByteTrie(), fail: []int32{0}}
	type node struct {
		parent int32
		b      byte
	}
	nodes := []node{{}}
	var levels [][]int32 // states by depth
	for index, s := range set {
		state := int32(0)
		for depth := range len(s) {
			b := s[len(s)-1-depth]
			child := a.child(state, b)
			if child == 0 {
				child = a.grow(state, b)
				nodes = append(nodes, node{state, b})
				a.fail = append(a.fail, 0)
				if depth == len(levels) {
					levels = append(levels, nil)
				}
				levels[depth] = append(levels[depth], child)
			}
			state = child
		}
		a.value[state] = int32(index)
		a.lens = append(a.lens, int32(len(s)))
	}
	for _, states := range levels[min(1, len(levels)):] {
		for _, state := range states {
			n := nodes[state]
			a.fail[state] = a.step(a.fail[n.parent], n.b)
		}
	}
	for _, state := range slices.Concat(levels...) {
		if a.value[state] < 0 {
			a.value[state] = a.value[a.fail[state]]
		}
	}
	return a
}

// step returns the state after one more byte.
func (a *automaton) step(state int32, b byte) int32 {
	for {
		if to := a.child(state, b); to > 0 || state == 0 {
			return to
		}
		state = a.fail[state]
	}
}

// find appends to hits, from the end of s to its beginning, the longest string at every place
// where one begins.
func (a *automaton) find(hits []hit, s []byte) []hit {
	state := int32(0)
	for i := len(s) - 1; i >= 0; i-- {
		if state == 0 {
			state = a.root[s[i]]
		} else {
			state = a.step(state, s[i])
		}
		if state > 0 && a.value[state] >= 0 {
			hits = append(hits, hit{i, a.value[state]})
		}
	}
	return hits
}

// An addedSet is the added tokens that are looked for together.
type addedSet struct {
	tokens    []AddedToken
	automaton *automaton
}

// extract looks for the tokens of the set in s, leftmost and longest, writes the ids of those
// found and passes the text between them to gap; head is as in split.
func (e *encoder) extract(set *addedSet, s []byte, al []extent, head int, gap func(*encoder, []byte, []extent, int)) {
	if set.automaton == nil || e.recognize == RecognizeNone {
		gap(e, s, al, head)
		return
	}
	base := len(e.hits)
	e.hits = set.automaton.find(e.hits, s)
	done, scanned := 0, 0 // done: end of what is written; scanned: end of the last hit
	for len(e.hits) > base {
		h := e.hits[len(e.hits)-1]
		e.hits = e.hits[:len(e.hits)-1]
		if h.start < scanned {
			continue
		}
		if len(e.untrusted.Spans) > 0 {
			if h.index = e.allowed(set, s, h, al); h.index < 0 {
				continue
			}
		}
		tok := &set.tokens[h.index]
		start, stop := h.start, h.start+int(set.automaton.lens[h.index])
		scanned = stop
		if tok.Special && e.recognize == RecognizePlain || tok.SingleWord && insideWord(s, start, stop) {
			continue
		}
		if tok.LStrip {
			start = spacesBefore(s, done, start)
			stop = max(start, stop)
		}
		if tok.RStrip {
			stop = spacesAfter(s, stop)
		}
		if done < start {
			gap(e, s[done:start], cut(al, done, start), max(0, head-done))
		}
		// White space that an rstrip has swallowed may hold the next hit. That is found all the
		// same and moves done back, unless an lstrip leaves nothing of it.
		if start < stop {
			e.added(tok.ID, s[start:stop], cut(al, start, stop))
		}
		done = stop
	}
	if done < len(s) {
		gap(e, s[done:], cut(al, done, len(s)), max(0, head-done))
	}
}

// insideWord reports whether a word character is next to s[start:stop].
func insideWord(s []byte, start, stop int) bool {
	if r, n := utf8.DecodeLastRune(s[:start]); n > 0 && isWord(r) {
		return true
	}
	r, n := utf8.DecodeRune(s[stop:])
	return n > 0 && isWord(r)
}

// spacesBefore returns the start of the white space that ends at s[end], at least from.
func spacesBefore(s []byte, from, end int) int {
	end = max(from, end)
	for end > from {
		r, n := utf8.DecodeLastRune(s[from:end])
		if !isSpace(r) {
			break
		}
		end -= n
	}
	return end
}

// spacesAfter returns the end of the white space from s[i].
func spacesAfter(s []byte, i int) int {
	for i < len(s) {
		r, n := utf8.DecodeRune(s[i:])
		if !isSpace(r) {
			break
		}
		i += n
	}
	return i
}
