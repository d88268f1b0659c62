package constrain

import (
	"errors"
	"math"
	"math/bits"
	"slices"
)

// Mask is a set of tokens. It is immutable.
type Mask struct {
	size  int // of the vocabulary
	count int
	list  []int32  // by id, if they are few
	bits  []uint64 // else
}

// Count returns the number of tokens.
func (k *Mask) Count() int { return k.count }

// Allows reports whether a token is in the set.
func (k *Mask) Allows(id int32) bool {
	if id < 0 || int(id) >= k.size {
		return false
	}
	if k.bits != nil {
		return k.bits[id>>6]>>(id&63)&1 != 0
	}
	for _, t := range k.list {
		if t == id {
			return true
		}
	}
	return false
}

// Append appends the tokens by id.
func (k *Mask) Append(ids []int32) []int32 {
	if k.bits == nil {
		return append(ids, k.list...)
	}
	for i, w := range k.bits {
		for ; w != 0; w &= w - 1 {
			ids = append(ids, int32(i<<6+bits.TrailingZeros64(w)))
		}
	}
	return ids
}

// Apply writes to dst the logits of the tokens of the set, and -Inf for all others. Both have the
// same length, at least that of the vocabulary; it panics otherwise.
func (k *Mask) Apply(dst, logits []float32) {
	if len(dst) != len(logits) || len(dst) < k.size {
		panic("constrain.Mask.Apply: lengths disagree")
	}
	excluded := float32(math.Inf(-1))
	if k.bits == nil {
		for i := range dst {
			dst[i] = excluded
		}
		for _, id := range k.list {
			dst[id] = logits[id]
		}
		return
	}
	for i := k.size; i < len(dst); i++ {
		dst[i] = excluded
	}
	for i, w := range k.bits {
		from := i << 6
		to := min(from+64, k.size)
		d, z := dst[from:to], logits[from:to]
		if w == math.MaxUint64 {
			copy(d, z)
			continue
		}
		for j := range d {
			d[j] = excluded
		}
		for ; w != 0; w &= w - 1 {
			j := bits.TrailingZeros64(w)
			d[j] = z[j]
		}
	}
}

// fewTokens is the share of a vocabulary below which a mask is a list.
const fewTokens = 1. / 64

// errWork is the end of a mask that would take too long.
var errWork = errors.New("constrain: the tokens that may follow have too many readings to look at; make the alternatives of the grammar begin differently")

// walker computes masks: a walk over the vocabulary's tree along the automaton.
type walker struct {
	*machine
	v     *Vocabulary
	path  []*state // states along the present branch
	bits  []uint64
	plain [][][]uint8 // classes of the bytes of a character that stands for itself in a JSON string
	level [2][]*state
}

// mask returns the tokens that may follow s and end where at most within bytes are to come.
func (w *walker) mask(s *state, within int32) (*Mask, error) {
	w.err, w.work = nil, 0
	w.bits = append(w.bits[:0], w.v.plain[0]...)
	clear(w.bits)
	skip := 0
	if within >= never {
		if skip = w.plainRun(s); skip > 0 {
			copy(w.bits, w.v.plain[skip])
		}
	}
	if w.err == nil {
		w.walk(s, uint8(skip), within)
	}
	if w.err != nil {
		return nil, w.err
	}
	k := &Mask{size: w.v.size}
	for _, b := range w.bits {
		k.count += bits.OnesCount64(b)
	}
	if float64(k.count) < fewTokens*float64(k.size) {
		k.list = (&Mask{bits: w.bits}).Append(make([]int32, 0, k.count))
	} else {
		k.bits = append([]uint64(nil), w.bits...)
	}
	return k, nil
}

// walk visits the tree. Branches whose tokens are all in plain[skip], which is allowed, are passed
// over.
func (w *walker) walk(s *state, skip uint8, within int32) {
	path := append(w.path[:0], s)
	tree := w.v.tree
	for i := 0; i < len(tree); {
		n := &tree[i]
		if n.level <= skip {
			i = int(n.skip)
			continue
		}
		from := path[n.depth]
		next := from.next[w.classes[n.char]]
		if next == nil {
			next = w.step(from, w.classes[n.char])
			if w.bytes > MaxCacheBytes {
				w.reset()
			}
			if w.err == nil && w.work > maxWork {
				w.err = errWork
			}
			if w.err != nil {
				return
			}
		}
		if next == w.dead {
			i = int(n.skip)
			continue
		}
		if n.token >= 0 && next.dist <= within {
			w.allow(n.token)
		}
		path = append(path[:n.depth+1], next)
		i++
	}
	w.path = path[:0]
}

// allow adds a token and those with the same bytes.
func (w *walker) allow(id int32) {
	w.bits[id>>6] |= 1 << (id & 63)
	if w.v.same != nil {
		for id = w.v.same[id]; id >= 0; id = w.v.same[id] {
			w.bits[id>>6] |= 1 << (id & 63)
		}
	}
}

// plainRun returns how many characters that stand for themselves in a JSON string may follow s,
// whichever they are; plainLevels if there is no end to them.
func (w *walker) plainRun(s *state) int {
	now := append(w.level[0][:0], s)
	then := w.level[1]
	defer func() { w.level = [2][]*state{now, then} }()
	for n := 0; ; n++ {
		then = then[:0]
		for _, s := range now {
			for _, classes := range w.plain {
				var ok bool
				if then, ok = w.through(then, s, classes); !ok {
					return min(n, plainLevels-1)
				}
			}
		}
		if len(then) > 4 {
			return min(n, plainLevels-1)
		}
		if sameStates(now, then) {
			return plainLevels
		}
		if n+1 >= plainLevels {
			return plainLevels - 1
		}
		now, then = then, now
	}
}

// through adds the states after any text of a sequence of byte classes; it reports whether all are
// alive.
func (w *walker) through(to []*state, s *state, classes [][]uint8) ([]*state, bool) {
	for _, c := range classes[0] {
		next := s.next[c]
		if next == nil {
			next = w.step(s, c)
		}
		if next == w.dead {
			return to, false
		}
		if len(classes) > 1 {
			var ok bool
			if to, ok = w.through(to, next, classes[1:]); !ok {
				return to, false
			}
		} else if !slices.Contains(to, next) {
			to = append(to, next)
		}
	}
	return to, true
}

// plainClasses returns plainBytes in byte classes.
func (p *program) plainClasses() (list [][][]uint8) {
	for _, sets := range plainBytes {
		var sequence [][]uint8
		for _, set := range sets {
			var classes []uint8
			for b := range 256 {
				if c := p.classes[b]; set.has(byte(b)) && !slices.Contains(classes, c) {
					classes = append(classes, c)
				}
			}
			sequence = append(sequence, classes)
		}
		list = append(list, sequence)
	}
	return list
}

func sameStates(a, b []*state) bool {
	if len(a) != len(b) {
		return false
	}
	for _, s := range a {
		if !slices.Contains(b, s) {
			return false
		}
	}
	return true
}
