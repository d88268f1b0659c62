package chat

// loop is the variable of that name: a loop under way.
type loop struct {
	stmt  *forStmt
	outer *scope
	depth int64 // from 0

	next                    iterator
	count                   func() (int, bool) // number of all items, if that is known
	index                   int64              // from 0
	before, current, pulled value              // nil: none
	ended                   bool               // next has no more
	total                   int                // -1: not known yet
	last                    []value            // what changed was called with
}

func (s *forStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	return s.over(m, s.in.eval(m), m.scope, 0)
}

// over runs the loop over a sequence.
func (s *forStmt) over(m *machine, seq value, outer *scope, depth int64) flow {
	before := m.scope
	defer func() { m.scope = before }()
	l := &loop{stmt: s, outer: outer, depth: depth, index: -1, total: -1}
	l.next = m.iterate(seq)
	if s.cond == nil {
		l.count = func() (int, bool) { return m.length(seq) }
	} else {
		l.next = s.filtered(m, l.next, outer)
		l.count = func() (int, bool) { return 0, false }
	}
	none := true
	for {
		item, ok := l.pull()
		if !ok {
			break
		}
		l.pulled = nil
		l.index++
		l.before, l.current = l.current, item
		m.scope = &scope{parent: outer}
		m.assign(&s.target, item)
		m.scope.set("loop", l)
		f := m.run(s.body)
		if f == flowBreak {
			break
		}
		if f == flowNext {
			none = false
		}
	}
	if none {
		return m.within(outer, s.otherwise)
	}
	return flowNext
}

// filtered passes on the items that the loop's condition holds for.
func (s *forStmt) filtered(m *machine, next iterator, outer *scope) iterator {
	return func() (value, bool) {
		for {
			item, ok := next()
			if !ok {
				return nil, false
			}
			before := m.scope
			m.scope = &scope{parent: outer}
			m.assign(&s.target, item)
			keep := truth(s.cond.eval(m))
			m.scope = before
			if keep {
				return item, true
			}
		}
	}
}

// pull returns the next item and keeps it.
func (l *loop) pull() (value, bool) {
	if l.pulled == nil && !l.ended {
		item, ok := l.next()
		l.pulled, l.ended = item, !ok
		if !ok {
			l.pulled = nil
		}
	}
	return l.pulled, l.pulled != nil
}

// length counts the items, those to come included.
func (l *loop) length(m *machine) int {
	if l.total >= 0 {
		return l.total
	}
	n, ok := l.count()
	if !ok {
		var rest []value
		for item, ok := l.next(); ok && !l.ended; item, ok = l.next() {
			m.grow(16)
			rest = append(rest, item)
		}
		l.next = ofItems(rest)
		n = int(l.index) + 1 + len(rest)
		if l.pulled != nil {
			n++
		}
	}
	l.total = n
	return n
}

func (l *loop) attr(m *machine, name string) (value, bool) {
	switch name {
	case "index":
		return l.index + 1, true
	case "index0":
		return l.index, true
	case "revindex":
		return int64(l.length(m)) - l.index, true
	case "revindex0":
		return int64(l.length(m)) - l.index - 1, true
	case "first":
		return l.index == 0, true
	case "last":
		_, more := l.pull()
		return !more, true
	case "length":
		return int64(l.length(m)), true
	case "depth":
		return l.depth + 1, true
	case "depth0":
		return l.depth, true
	case "previtem":
		if l.index == 0 {
			return &undefined{"there is no previous item", Undefined}, true
		}
		return l.before, true
	case "nextitem":
		if item, ok := l.pull(); ok {
			return item, true
		}
		return &undefined{"there is no next item", Undefined}, true
	case "cycle":
		return variadic(l.cycle), true
	case "changed":
		return variadic(l.changed), true
	}
	return nil, false
}

func (l *loop) cycle(_ *machine, a args) value {
	if len(a.pos) == 0 {
		fail(Runtime, "no items for cycling given")
	}
	return a.pos[l.index%int64(len(a.pos))]
}

func (l *loop) changed(m *machine, a args) value {
	if l.last != nil && m.equalItems(l.last, a.pos) {
		return false
	}
	l.last = append([]value{}, a.pos...)
	return true
}

// recurse runs a recursive loop over another sequence and returns what that prints.
func (l *loop) recurse(m *machine, a args) value {
	if !l.stmt.recursive {
		fail(Runtime, "the loop must have the 'recursive' marker to be called recursively")
	}
	if len(a.pos) != 1 || len(a.names) > 0 {
		fail(Runtime, "a recursive loop takes one argument")
	}
	return m.capture(func() { l.stmt.over(m, a.pos[0], l.outer, l.depth+1) })
}
