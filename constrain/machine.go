package constrain

import (
	"encoding/binary"
	"errors"
	"slices"
)

// item is one reading of a text: the set instruction it waits at, and what called its rule.
type item struct {
	pos int32
	ret *node
}

// node is where a rule returns to: several places, if several readings called it at the same byte.
// It is immutable once it has an id.
type node struct {
	id     uint64
	frames []frame
	dist   int32 // the fewest bytes to the end of the text, once the rule has ended

	tails []*node // before it has an id: nodes whose frames are also its own
}

// frame is one place to return to: the instruction, and what called the rule it is in. The place
// accepted is the end of the text.
type frame struct {
	pos    int32
	parent *node
}

const accepted = -1

// state is a set of readings: a state of the deterministic automaton.
type state struct {
	items  []item
	accept bool     // the text may end here
	dist   int32    // the fewest bytes to the end of the text
	next   []*state // by byte class; nil where nobody was yet
	mask   *Mask
}

// errAmbiguous is the end of a text with more readings than a state may hold.
var errAmbiguous = errors.New("constrain: the text so far has too many readings at once; make the alternatives of the grammar begin differently")

// machine makes a program deterministic, state by state. It is for one goroutine at a time.
type machine struct {
	*program
	start, dead *state
	states      map[string]*state
	nodes       map[string]*node
	bytes       int // about what the states, nodes and masks take
	lastID      uint64
	work        int // items looked at since the last limit was set

	todo []item
	seen map[item]struct{}
	open map[int32]*node // rules called at the present byte
	out  []item
	key  []byte
	err  error
}

func newMachine(p *program) *machine {
	m := &machine{program: p, dead: &state{dist: never}, seen: map[item]struct{}{}, open: map[int32]*node{}}
	m.reset()
	return m
}

// reset forgets all states; those in use live on.
func (m *machine) reset() {
	m.states, m.nodes, m.bytes = map[string]*state{}, map[string]*node{}, 0
	root := m.internNode([]frame{{accepted, nil}})
	m.start = m.close([]item{{m.rules[m.root].start, root}})
}

// step returns the state after one more byte of a class. On an error, which m.err holds, it is
// the dead state.
func (m *machine) step(s *state, class uint8) *state {
	if next := s.next[class]; next != nil {
		return next
	}
	b := m.byteOf[class]
	var items []item
	for _, it := range s.items {
		if in := &m.insts[it.pos]; m.sets[in.arg].has(b) {
			items = append(items, item{in.x, it.ret})
		}
	}
	m.work += len(s.items)
	next := m.dead
	if len(items) > 0 {
		next = m.close(items)
	}
	if m.err == nil {
		s.next[class] = next
	}
	return next
}

// close follows everything that reads no byte and returns the state.
func (m *machine) close(items []item) *state {
	clear(m.seen)
	clear(m.open)
	m.todo, m.out = m.todo[:0], m.out[:0]
	for _, it := range items {
		m.add(it.pos, it.ret)
	}
	accept := false
	for len(m.todo) > 0 {
		it := m.todo[len(m.todo)-1]
		m.todo = m.todo[:len(m.todo)-1]
		switch in := m.insts[it.pos]; in.op {
		case opSet:
			m.out = append(m.out, it)
		case opJump:
			m.add(in.x, it.ret)
		case opSplit:
			m.add(in.x, it.ret)
			m.add(in.y, it.ret)
		case opCall:
			m.call(in, it.ret)
		case opEnd:
			// A rule that began at this byte ends at once only if its shortest text is empty, and
			// its caller has gone on already.
			if it.ret.id == 0 {
				continue
			}
			for _, f := range it.ret.frames {
				if f.pos == accepted {
					accept = true
				} else {
					m.add(f.pos, f.parent)
				}
			}
		}
		if len(m.seen) > maxReadings {
			m.err = errAmbiguous
			return m.dead
		}
	}
	m.work += len(m.seen)
	return m.intern(accept)
}

// add puts an item on the list, unless it leads nowhere or was on it.
func (m *machine) add(pos int32, ret *node) {
	if m.dist[pos] >= never {
		return
	}
	it := item{pos, ret}
	if _, ok := m.seen[it]; !ok {
		m.seen[it] = struct{}{}
		m.todo = append(m.todo, it)
	}
}

// call begins a rule. Where nothing comes after it in the calling rule, it returns to that rule's
// callers, so that recursion on the right keeps no stack.
func (m *machine) call(in inst, ret *node) {
	r := &m.rules[in.arg]
	if r.min == 0 {
		m.add(in.x, ret)
	}
	n := m.open[in.arg]
	if n == nil {
		n = &node{}
		m.open[in.arg] = n
		m.add(r.start, n)
	}
	if m.insts[in.x].op == opEnd {
		n.tails = append(n.tails, ret)
	} else {
		n.frames = append(n.frames, frame{in.x, ret})
	}
}

// resolve returns the node that is kept for one made at the present byte. Its callers are resolved
// first; without left recursion there is no circle.
func (m *machine) resolve(n *node) *node {
	if n == nil || n.id != 0 {
		return n
	}
	frames := n.frames
	for i, f := range frames {
		frames[i].parent = m.resolve(f.parent)
	}
	for _, t := range n.tails {
		frames = append(frames, m.resolve(t).frames...)
	}
	n.frames, n.tails = frames, nil
	kept := m.internNode(frames)
	n.id, n.frames, n.dist = kept.id, kept.frames, kept.dist
	return kept
}

// internNode returns the node of some frames.
func (m *machine) internNode(frames []frame) *node {
	slices.SortFunc(frames, func(a, b frame) int {
		if a.pos != b.pos {
			return int(a.pos) - int(b.pos)
		}
		return compareNodes(a.parent, b.parent)
	})
	frames = slices.Compact(frames)
	key := m.key[:0]
	for _, f := range frames {
		key = binary.LittleEndian.AppendUint32(key, uint32(f.pos))
		if f.parent != nil {
			key = binary.LittleEndian.AppendUint64(key, f.parent.id)
		}
	}
	m.key = key
	if n, ok := m.nodes[string(key)]; ok {
		return n
	}
	m.lastID++
	n := &node{id: m.lastID, frames: slices.Clip(slices.Clone(frames)), dist: never}
	for _, f := range n.frames {
		d := int32(0)
		if f.pos != accepted {
			d = m.dist[f.pos] + f.parent.dist
		}
		n.dist = min(n.dist, d)
	}
	m.nodes[string(key)] = n
	m.bytes += 2*len(key) + 16*len(frames) + 128
	return n
}

func compareNodes(a, b *node) int {
	switch {
	case a == b:
		return 0
	case a == nil || b != nil && a.id < b.id:
		return -1
	}
	return 1
}

// intern returns the state of the items in m.out.
func (m *machine) intern(accept bool) *state {
	for i := range m.out {
		m.out[i].ret = m.resolve(m.out[i].ret)
	}
	slices.SortFunc(m.out, func(a, b item) int {
		if a.pos != b.pos {
			return int(a.pos) - int(b.pos)
		}
		return compareNodes(a.ret, b.ret)
	})
	items := slices.Compact(m.out)
	key := append(m.key[:0], 0)
	if accept {
		key[0] = 1
	}
	for _, it := range items {
		key = binary.LittleEndian.AppendUint32(key, uint32(it.pos))
		key = binary.LittleEndian.AppendUint64(key, it.ret.id)
	}
	m.key = key
	if s, ok := m.states[string(key)]; ok {
		return s
	}
	s := &state{items: slices.Clone(items), accept: accept, dist: never, next: make([]*state, len(m.byteOf))}
	if accept {
		s.dist = 0
	}
	for _, it := range items {
		s.dist = min(s.dist, m.dist[it.pos]+it.ret.dist)
	}
	m.states[string(key)] = s
	m.bytes += 2*len(key) + 16*len(items) + 8*len(s.next) + 160
	return s
}
