package tokenizer

// A bpe is a byte-pair encoding model over byte symbols.
//
// Of all adjacent pairs of symbols, the one with the lowest rank is joined, the leftmost on ties,
// until no pair has a merge. Source: Sennrich et al. 2016, arXiv:1508.07909, section 3.2.
type bpe struct {
	vocab  map[string]int32 // by content, in byte symbols
	merges table            // left<<32 | right -> rank<<32 | joined

	initial  [256]int32    // token of a byte's symbol, or -1
	fallback [256][2]int32 // tokens <0xNN> of the bytes of a symbol that has no token; second -1: one byte; first -1: none

	complete     bool  // every byte has an initial token
	unk          int32 // token of a symbol without token and fallback; -1: such symbols vanish
	fuseUnk      bool  // a run of unknown symbols gives one token
	ignoreMerges bool  // a piece that is in the vocabulary is that token
}

// merge returns rank<<32 | joined of the pair, or none.
func (m *bpe) merge(left, right int32) uint64 {
	return m.merges.get(uint64(uint32(left))<<32 | uint64(uint32(right)))
}

// A word is the scratch memory for one piece.
type word struct {
	ids []int32 // [n] symbols, then tokens
	// lens holds the lengths of the symbols in UTF-8, [n]; it is kept for offsets only.
	lens []int32

	pairs      []uint64 // [n-1] the merge of each symbol with the next
	prev, next []int32  // [n] neighbours in the list of live symbols; -1 and n at the ends
	heap       []uint64 // rank<<32 | index of the left symbol
	content    []byte   // the piece in symbols
}

// symbols sets w.ids, and with lens w.lens, to the initial symbols of a piece of raw bytes.
func (m *bpe) symbols(w *word, piece []byte, lens bool) {
	if m.complete && !lens {
		w.ids = grow(w.ids, len(piece))
		for i, b := range piece {
			w.ids[i] = m.initial[b]
		}
		return
	}
	w.ids, w.lens = w.ids[:0], w.lens[:0]
	unknown := int32(0) // length of the unknown symbols not yet written
	add := func(id, n int32) {
		w.ids = append(w.ids, id)
		if lens {
			w.lens = append(w.lens, n)
		}
	}
	for _, b := range piece {
		n := int32(len(byteSymbols.utf8[b]))
		if id := m.initial[b]; id >= 0 {
			if unknown > 0 {
				add(m.unk, unknown)
				unknown = 0
			}
			add(id, n)
			continue
		}
		// Fallback tokens go before a pending unknown token, as in the library.
		if f := m.fallback[b]; f[0] >= 0 {
			add(f[0], 1)
			if f[1] >= 0 {
				add(f[1], 1)
			}
			continue
		}
		if m.unk >= 0 {
			if unknown > 0 && !m.fuseUnk {
				add(m.unk, unknown)
				unknown = 0
			}
			unknown += n
		}
	}
	if unknown > 0 {
		add(m.unk, unknown)
	}
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
			if p < best {
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
