package tokenizer

// A byteTrie is a set of byte strings, each with a number from 0. State 0 is the root.
type byteTrie struct {
	root  [256]int32 // transitions of the root; 0: none
	edges table      // state<<8 | byte -> state, for the other states
	value []int32    // by state: number of the string that ends there, or -1
}

// newByteTrie returns an empty trie.
func newByteTrie() byteTrie { return byteTrie{edges: newTable(0), value: []int32{-1}} }

// insert adds a string; of the same string twice the later number counts.
func (t *byteTrie) insert(s string, number int32) {
	state := int32(0)
	for i := range len(s) {
		child := t.child(state, s[i])
		if child == 0 {
			child = t.grow(state, s[i])
		}
		state = child
	}
	t.value[state] = number
}

// grow adds a state.
func (t *byteTrie) grow(state int32, b byte) int32 {
	child := int32(len(t.value))
	t.value = append(t.value, -1)
	if state == 0 {
		t.root[b] = child
	} else {
		t.edges.set(uint64(state)<<8|uint64(b), uint64(child))
	}
	return child
}

// child returns the state after one more byte; 0 means none.
func (t *byteTrie) child(state int32, b byte) int32 {
	if state == 0 {
		return t.root[b]
	}
	if to := t.edges.get(uint64(state)<<8 | uint64(b)); to != none {
		return int32(to)
	}
	return 0
}

// at returns the state of a prefix, 0 if no string begins with it.
func (t *byteTrie) at(prefix string) int32 {
	state := int32(0)
	for i := range len(prefix) {
		if state = t.child(state, prefix[i]); state == 0 {
			return 0
		}
	}
	return state
}

// longest returns the number and the length of the longest string that s begins with; -1 and 0 if
// there is none.
func (t *byteTrie) longest(s []byte) (number int32, n int) {
	number = -1
	state := int32(0)
	for i, b := range s {
		if state = t.child(state, b); state == 0 {
			break
		}
		if v := t.value[state]; v >= 0 {
			number, n = v, i+1
		}
	}
	return number, n
}
