package tokenizer

import (
	"math/bits"
	"math/rand/v2"
)

// none is the value of a key that is not in a table; as a merge it ranks behind all others.
const none = ^uint64(0)

// A table maps keys to values by open addressing. The multiplier is random, so that a file
// cannot choose keys that collide. No key is none.
type table struct {
	slots []tableSlot // length: a power of two, more than 4/3 of the number of keys
	shift uint
	mul   uint64
	used  int
}

type tableSlot struct{ key, value uint64 }

// newTable returns a table with room for n keys; it grows beyond them.
func newTable(n int) table {
	log := uint(bits.Len(uint(n + n/3)))
	t := table{slots: make([]tableSlot, 1<<log), shift: 64 - log, mul: rand.Uint64() | 1}
	for i := range t.slots {
		t.slots[i].key = none
	}
	return t
}

// get returns the value of key, or none.
func (t *table) get(key uint64) uint64 {
	mask := uint64(len(t.slots) - 1)
	for i := key * t.mul >> t.shift; ; i++ {
		switch s := &t.slots[i&mask]; s.key {
		case key:
			return s.value
		case none:
			return none
		}
	}
}

// set stores the value of key.
func (t *table) set(key, value uint64) {
	mask := uint64(len(t.slots) - 1)
	i := key * t.mul >> t.shift
	for t.slots[i&mask].key != none && t.slots[i&mask].key != key {
		i++
	}
	s := &t.slots[i&mask]
	if s.key == none {
		if (t.used+1)*4 > len(t.slots)*3 {
			t.rehash()
			t.set(key, value)
			return
		}
		t.used++
	}
	*s = tableSlot{key, value}
}

// rehash doubles the room.
func (t *table) rehash() {
	bigger := newTable(len(t.slots))
	for _, s := range t.slots {
		if s.key != none {
			bigger.set(s.key, s.value)
		}
	}
	*t = bigger
}
