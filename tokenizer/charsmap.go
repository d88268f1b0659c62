package tokenizer

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// A charsmap is a table of replacements, made by sentencepiece: at each place of a text the longest
// entry is replaced.
//
// The tokenizers library takes the shortest entry of each grapheme cluster instead, which gives
// other ids for decomposed letters and half-width kana; the models were trained on what this does.
//
// Source: Normalizer in google/sentencepiece@d8f7418, src/normalizer.cc; DoubleArray in
// s-yata/darts-clone@1767ab8, include/darts.h.
type charsmap struct {
	units []byte // of a double-array trie, four bytes each, little endian
	texts []byte // replacements, each ended by NUL
	start [256]bool
}

// Bounds of the entries in bytes; those of longer keys match nothing.
const (
	maxKey         = 1 << 8
	maxReplacement = 1 << 10
)

// newCharsmap reads a precompiled_charsmap: the length of the trie in bytes, the trie, the
// replacements. The result keeps blob.
func newCharsmap(blob []byte) (*charsmap, error) {
	if len(blob) < 4 {
		return nil, fmt.Errorf("precompiled charsmap: %d bytes, expected at least 4", len(blob))
	}
	size := uint64(binary.LittleEndian.Uint32(blob))
	if size == 0 || size%4 != 0 || size > uint64(len(blob)-4) {
		return nil, fmt.Errorf("precompiled charsmap: a trie of %d bytes, of %d: expected a multiple of 4 that fits", size, len(blob)-4)
	}
	c := &charsmap{units: blob[4 : 4+size], texts: blob[4+size:]}
	if !utf8.Valid(c.texts) {
		return nil, fmt.Errorf("precompiled charsmap: the replacements are not valid UTF-8")
	}
	if n := len(c.texts); n > 0 && c.texts[n-1] != 0 {
		return nil, fmt.Errorf("precompiled charsmap: the last replacement has no end")
	}
	for rest := c.texts; len(rest) > 0; {
		n := bytes.IndexByte(rest, 0)
		if n > maxReplacement {
			return nil, fmt.Errorf("precompiled charsmap: a replacement of %d bytes, expected at most %d", n, maxReplacement)
		}
		rest = rest[n+1:]
	}
	for b := range c.start {
		c.start[b] = c.step(c.offset(0), byte(b)) >= 0
	}
	return c, nil
}

// unit returns a unit of the trie; beyond the end it is one that no label fits.
func (c *charsmap) unit(at uint32) uint32 {
	if uint64(at)*4 >= uint64(len(c.units)) {
		return 1 << 31
	}
	return binary.LittleEndian.Uint32(c.units[at*4:])
}

// offset returns where the children of a unit are, relative to its place.
func (c *charsmap) offset(at uint32) uint32 {
	u := c.unit(at)
	return u >> 10 << (u & 0x200 >> 6)
}

// step returns the place of the child for byte b of a node whose children are at pos, or -1.
func (c *charsmap) step(pos uint32, b byte) int64 {
	pos ^= uint32(b)
	if c.unit(pos)&0x800000FF != uint32(b) {
		return -1
	}
	return int64(pos)
}

// match returns the length of the longest entry at the start of s, 0 for none, and its replacement.
func (c *charsmap) match(s []byte) (n int, text []byte) {
	if !c.start[s[0]] {
		return 0, nil
	}
	pos := c.offset(0)
	for i, b := range s[:min(len(s), maxKey)] {
		at := c.step(pos, b)
		if at < 0 {
			break
		}
		pos = uint32(at) ^ c.offset(uint32(at))
		if c.unit(uint32(at))>>8&1 == 0 {
			continue
		}
		from := c.unit(pos) & 0x7FFFFFFF
		if uint64(from) >= uint64(len(c.texts)) || !utf8.RuneStart(c.texts[from]) || !utf8.RuneStart(next(s, i+1)) {
			continue
		}
		n, text = i+1, c.texts[from:]
		text = text[:bytes.IndexByte(text, 0)]
	}
	return n, text
}

// next returns s[i], or 0 at the end.
func next(s []byte, i int) byte {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// unchanged implements normalizer.
func (c *charsmap) unchanged(s []byte) int {
	for i := 0; i < len(s); {
		if c.start[s[i]] {
			if n, _ := c.match(s[i:]); n > 0 {
				return i
			}
		}
		_, size := utf8.DecodeRune(s[i:])
		i += size
	}
	return len(s)
}

// normalize implements normalizer. As in the library, replaced characters stand for replacing ones
// in order, and additional ones for the one before.
func (c *charsmap) normalize(n *normScratch, from int) {
	for i := from; i < len(n.src); {
		size, text := c.match(n.src[i:])
		if size == 0 {
			_, size = utf8.DecodeRune(n.src[i:])
			n.keep(i, i+size)
			i += size
			continue
		}
		end := i + size
		for len(text) > 0 {
			r, k := utf8.DecodeRune(text)
			text = text[k:]
			if i == end {
				n.put(r, i-1)
				continue
			}
			n.put(r, i)
			_, k = utf8.DecodeRune(n.src[i:])
			i += k
		}
		i = end
	}
}

// growth implements normalizer.
func (c *charsmap) growth() int {
	most := 1
	for rest := c.texts; len(rest) > 0; {
		k := bytes.IndexByte(rest, 0)
		most = max(most, k)
		rest = rest[k+1:]
	}
	return most
}
