package tokenizer

import (
	"encoding/binary"
	"math/bits"
)

// A wordCache remembers the tokens of recent short pieces: most words of a text come again. It is
// a table with one slot for each hash; a piece replaces the one before.
type wordCache struct {
	slots []wordSlot // [cacheSlots], or nil before the first use
}

const cacheSlots = 1 << 13

// A wordSlot is one piece of at most 22 bytes and its at most 8 tokens.
type wordSlot struct {
	size   uint8 // bytes; 0: empty
	tokens uint8
	piece  [22]byte
	ids    [8]int32
}

// slot returns the place of a piece, or nil if the piece is too long.
func (c *wordCache) slot(piece []byte) *wordSlot {
	if len(piece) > len(wordSlot{}.piece) {
		return nil
	}
	if c.slots == nil {
		c.slots = make([]wordSlot, cacheSlots)
	}
	return &c.slots[hash(piece)%cacheSlots]
}

// holds reports whether the slot is that of the piece. A nil slot holds nothing.
func (s *wordSlot) holds(piece []byte) bool {
	return s != nil && string(s.piece[:s.size]) == string(piece)
}

// store puts a piece and its tokens in the slot, if they fit.
func (s *wordSlot) store(piece []byte, ids []int32) {
	if s == nil || len(ids) > len(s.ids) {
		return
	}
	s.size, s.tokens = uint8(len(piece)), uint8(len(ids))
	copy(s.piece[:], piece)
	copy(s.ids[:], ids)
}

// hash mixes a piece of 1 to 22 bytes. A collision costs a cache miss.
func hash(p []byte) uint64 {
	var a, b uint64
	switch n := len(p); {
	case n >= 8:
		a, b = binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[n-8:])
		if n > 16 {
			a ^= binary.LittleEndian.Uint64(p[8:]) * 0x9E3779B97F4A7C15
		}
	case n >= 4:
		a, b = uint64(binary.LittleEndian.Uint32(p)), uint64(binary.LittleEndian.Uint32(p[n-4:]))
	default:
		a, b = uint64(p[0])|uint64(p[n/2])<<8, uint64(p[n-1])
	}
	hi, lo := bits.Mul64(a^0xA0761D6478BD642F, b^0xE7037ED1A0B428DB^uint64(len(p))<<56)
	return hi ^ lo
}
