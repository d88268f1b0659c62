package constrain

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// Vocabulary is the tokens of a model as a tree of bytes. It is immutable.
type Vocabulary struct {
	size int
	tree []treeNode // depth first
	same []int32    // of each token, the next one with the same bytes, or -1; nil if there are none
	tok  []string

	// plain[n] is the tokens of up to n characters that stand for themselves in a JSON string,
	// plain[plainLevels] those of any length.
	plain [plainLevels + 1][]uint64
}

// treeNode is a byte of the tree, below its parent's depth.
type treeNode struct {
	skip  int32 // the node after everything below
	token int32 // that ends here, or -1
	depth uint16
	char  byte
	level uint8 // n if plain[n] holds every token here and below, unplain if none does
}

const (
	plainLevels   = 16
	unplain       = 255
	maxTokenBytes = 1 << 12 // longer tokens are never allowed
)

// NewVocabulary builds the vocabulary of tokens, which are raw bytes by id: a token may be any part
// of a character. An empty token, as of a special one, is never allowed.
func NewVocabulary(tokens []string) *Vocabulary {
	v := &Vocabulary{size: len(tokens), tok: slices.Clone(tokens)}
	ids := make([]int32, 0, len(tokens))
	for id, t := range tokens {
		if t != "" && len(t) <= maxTokenBytes {
			ids = append(ids, int32(id))
		}
	}
	slices.SortStableFunc(ids, func(a, b int32) int { return strings.Compare(tokens[a], tokens[b]) })
	v.grow(ids)
	words := (len(tokens) + 63) / 64
	for n := range v.plain {
		v.plain[n] = make([]uint64, words)
	}
	for _, id := range ids {
		if n := plainLevel(tokens[id]); n != unplain {
			for ; n <= plainLevels; n++ {
				v.plain[n][id>>6] |= 1 << (id & 63)
			}
		}
	}
	return v
}

// grow builds the tree from sorted tokens.
func (v *Vocabulary) grow(ids []int32) {
	var path []int32 // the nodes of the token before
	leave := func(depth int) {
		for len(path) > depth {
			at := path[len(path)-1]
			path = path[:len(path)-1]
			v.tree[at].skip = int32(len(v.tree))
			if n := len(path); n > 0 {
				up := &v.tree[path[n-1]]
				up.level = max(up.level, v.tree[at].level)
			}
		}
	}
	before := ""
	for i, id := range ids {
		t := v.tok[id]
		if i > 0 && t == before {
			v.twin(ids[i-1], id)
			continue
		}
		common := 0
		for common < min(len(t), len(before)) && t[common] == before[common] {
			common++
		}
		leave(common)
		for d := common; d < len(t); d++ {
			path = append(path, int32(len(v.tree)))
			v.tree = append(v.tree, treeNode{token: -1, depth: uint16(d), char: t[d]})
		}
		last := &v.tree[len(v.tree)-1]
		last.token, last.level = id, plainLevel(t)
		before = t
	}
	leave(0)
}

// twin chains a token to the one before, which has the same bytes.
func (v *Vocabulary) twin(first, id int32) {
	if v.same == nil {
		v.same = make([]int32, v.size)
		for i := range v.same {
			v.same[i] = -1
		}
	}
	v.same[first] = id
}

// plainLevel returns the characters of a token of whole characters that stand for themselves in a
// JSON string, plainLevels if they are more, unplain if there are others.
func plainLevel(t string) uint8 {
	if !utf8.ValidString(t) {
		return unplain
	}
	n := 0
	for _, r := range t {
		if r < ' ' || r == '"' || r == '\\' {
			return unplain
		}
		n++
	}
	return uint8(min(n, plainLevels))
}

// plainBytes lists the byte sequences of a character that stands for itself in a JSON string.
var plainBytes = [][]byteSet{
	{bytesOf(' ', '!', '#', '[', ']', 0x7f).set},
	{bytesOf(0xc2, 0xdf).set, tail},
	{bytesOf(0xe0, 0xe0).set, bytesOf(0xa0, 0xbf).set, tail},
	{bytesOf(0xe1, 0xec, 0xee, 0xef).set, tail, tail},
	{bytesOf(0xed, 0xed).set, bytesOf(0x80, 0x9f).set, tail},
	{bytesOf(0xf0, 0xf0).set, bytesOf(0x90, 0xbf).set, tail, tail},
	{bytesOf(0xf1, 0xf3).set, tail, tail, tail},
	{bytesOf(0xf4, 0xf4).set, bytesOf(0x80, 0x8f).set, tail, tail},
}

var tail = bytesOf(0x80, 0xbf).set
