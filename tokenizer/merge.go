package tokenizer

// merge returns rank<<32 | joined of the pair, or none.
func (m *bpe) merge(left, right int32) uint64 {
	return m.merges.get(uint64(uint32(left))<<32 | uint64(uint32(right)))
}

// shortPiece is the number of symbols up to which a scan for the best pair beats the heap.
const shortPiece = 48

// mergeShort joins w.ids in O(n²).
func (m *bpe) mergeShort(w *word) {
	n := len(w.ids)
	var pairs [shortPiece]uint64
	ids := w.ids
	for i := 0; i+1 < n; i++ {
		pairs[i] = m.merge(ids[i], ids[i+1])
	}
	for n > 1 {
		best, at := none, 0
		for i, p := range pairs[:n-1] {
			if p>>32 < best>>32 {
				best, at = p, i
			}
		}
		if best == none {
			break
		}
		ids[at] = int32(uint32(best))
		copy(ids[at+1:], ids[at+2:n])
		copy(pairs[at:], pairs[at+1:n-1])
		n--
		if at > 0 {
			pairs[at-1] = m.merge(ids[at-1], ids[at])
		}
		if at+1 < n {
			pairs[at] = m.merge(ids[at], ids[at+1])
		}
	}
	w.ids = ids[:n]
}

// mergeLong joins w.ids in O(n log n), in place: the tokens stay at the index of their first
// symbol, and w.next leads from one to the next.
//
// The heap holds the pairs that have, or had, a merge. An entry is stale if the pair at its index
// now has another rank: two symbols at one index with equal rank are the same pair, since joining
// only removes boundaries.
func (m *bpe) mergeLong(w *word) {
	n := len(w.ids)
	w.pairs, w.heap = grow(w.pairs, n), w.heap[:0]
	w.prev, w.next = grow(w.prev, n), grow(w.next, n)
	for i := range n {
		w.prev[i], w.next[i], w.pairs[i] = int32(i-1), int32(i+1), none
		if i+1 < n {
			if p := m.merge(w.ids[i], w.ids[i+1]); p != none {
				w.pairs[i] = p
				w.heap = append(w.heap, p>>32<<32|uint64(i))
			}
		}
	}
	for i := len(w.heap) / 4; i >= 0; i-- {
		siftDown(w.heap, i)
	}
	for len(w.heap) > 0 {
		top, last := w.heap[0], len(w.heap)-1
		w.heap[0] = w.heap[last]
		w.heap = w.heap[:last]
		siftDown(w.heap, 0)
		i := int32(uint32(top))
		if p := w.pairs[i]; p != none && p>>32 == top>>32 {
			m.join(w, i)
		}
	}
}

// join replaces symbol i and its right neighbour by their merge.
func (m *bpe) join(w *word, i int32) {
	n := int32(len(w.ids))
	right := w.next[i]
	w.ids[i] = int32(uint32(w.pairs[i]))
	w.pairs[i], w.pairs[right] = none, none
	next := w.next[right]
	w.next[i] = next
	if next < n {
		w.prev[next] = i
		m.pairUp(w, i, next)
	}
	if p := w.prev[i]; p >= 0 {
		m.pairUp(w, p, i)
	}
}

// pairUp records the merge of the neighbours i and j.
func (m *bpe) pairUp(w *word, i, j int32) {
	p := m.merge(w.ids[i], w.ids[j])
	w.pairs[i] = p
	if p != none {
		w.heap = append(w.heap, p>>32<<32|uint64(uint32(i)))
		siftUp(w.heap)
	}
}

// siftUp restores a 4-ary min-heap whose last element is new.
func siftUp(h []uint64) {
	i := len(h) - 1
	x := h[i]
	for i > 0 {
		p := (i - 1) / 4
		if h[p] <= x {
			break
		}
		h[i] = h[p]
		i = p
	}
	h[i] = x
}

// siftDown restores a 4-ary min-heap whose element i may be too large.
func siftDown(h []uint64, i int) {
	if i >= len(h) {
		return
	}
	x := h[i]
	for {
		c := 4*i + 1
		if c >= len(h) {
			break
		}
		best := c
		for k := c + 1; k < min(c+4, len(h)); k++ {
			if h[k] < h[best] {
				best = k
			}
		}
		if x <= h[best] {
			break
		}
		h[i] = h[best]
		i = best
	}
	h[i] = x
}

// grow returns s with length n; its contents are undefined.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/4)
	}
	return s[:n]
}
