package chat

// filterMap applies a filter to every value, or gets an attribute.
func filterMap(m *machine, a args) value {
	seq, rest := m.lazy("map", a)
	var f func(v value) value
	return m.generate(seq, m.each(seq, func(v value, next iterator) (value, bool) {
		if f == nil {
			f = m.mapping(rest)
		}
		return f(v), true
	}))
}

// lazy takes the sequence off the arguments of a lazy filter.
func (m *machine) lazy(name string, a args) (seq value, rest args) {
	if len(a.pos) == 0 {
		fail(Runtime, "%s needs a sequence", name)
	}
	return a.pos[0], args{a.pos[1:], a.names, a.named}
}

// each returns the iterator that applies f to the values of a sequence until f keeps one. Nothing
// is asked of the sequence before the iterator is.
func (m *machine) each(seq value, f func(v value, next iterator) (value, bool)) iterator {
	var next iterator
	return func() (value, bool) {
		if next == nil {
			if !truth(seq) {
				return nil, false
			}
			next = m.iterate(seq)
		}
		for {
			v, ok := next()
			if !ok {
				return nil, false
			}
			if got, keep := f(v, next); keep {
				return got, true
			}
		}
	}
}

// mapping returns what map does to a value.
func (m *machine) mapping(a args) func(v value) value {
	if attribute, ok := a.take("attribute"); ok && len(a.pos) == 0 {
		def, _ := a.take("default")
		if len(a.names) > 0 {
			fail(Runtime, "map has no argument %s", a.names[0])
		}
		return m.getter(attribute, def)
	}
	if len(a.pos) == 0 {
		fail(Runtime, "map requires a filter argument")
	}
	return m.applied(filters, "filter", a)
}

// applied returns what applies the filter or test that the first argument names.
func (m *machine) applied(table map[string]*builtin, what string, a args) func(v value) value {
	s, _ := a.pos[0].(*str)
	if s == nil || table[s.s] == nil {
		fail(Runtime, "no %s named %s", what, m.string(a.pos[0]).s)
	}
	f := table[s.s]
	return func(v value) value {
		m.enter()
		defer m.leave()
		return f.invoke(m, args{append([]value{v}, a.pos[1:]...), a.names, a.named})
	}
}

// selection returns the filter that keeps the values of which a test, of an attribute if attr, gives
// want.
func selection(want, attr bool) func(m *machine, a args) value {
	return func(m *machine, a args) value {
		seq, rest := m.lazy("select", a)
		var get, test func(v value) value
		prepare := func() {
			get = m.getter(nil, nil)
			if attr {
				if len(rest.pos) == 0 {
					fail(Runtime, "missing parameter for attribute name")
				}
				get = m.getter(rest.pos[0], nil)
				rest.pos = rest.pos[1:]
			}
			test = func(v value) value { return v }
			if len(rest.pos) > 0 {
				test = m.applied(tests, "test", rest)
			}
		}
		return m.generate(seq, m.each(seq, func(v value, _ iterator) (value, bool) {
			if test == nil {
				prepare()
			}
			return v, truth(test(get(v))) == want
		}))
	}
}

func filterItems(m *machine, a []value) value {
	d, ok := a[0].(*dict)
	if _, undef := a[0].(*undefined); !ok && !undef {
		return m.generate(nil, func() (value, bool) {
			fail(Runtime, "can only get item pairs from a mapping")
			return nil, false
		})
	}
	if d == nil {
		d = new(dict)
	}
	return m.generate(a[0], ofItems((&view{d, "items"}).items()))
}

func filterBatch(m *machine, a []value) value {
	size := index(a[1])
	next := m.iterate(a[0])
	var ahead value
	return m.generate(a[0], func() (value, bool) {
		row := new(list)
		if ahead != nil {
			row.items, ahead = append(row.items, ahead), nil
		}
		for v, ok := next(); ok; v, ok = next() {
			if len(row.items) == size {
				ahead = v
				return row, true
			}
			m.grow(16)
			row.items = append(row.items, v)
		}
		if len(row.items) == 0 {
			return nil, false
		}
		if fill := optional(a[2], none{}); fill != (none{}) {
			m.grow(16 * max(size-len(row.items), 0))
			for len(row.items) < size {
				row.items = append(row.items, fill)
			}
		}
		return row, true
	})
}

func filterSlice(m *machine, a []value) value {
	n := index(a[1])
	items := m.items(a[0])
	if n == 0 {
		fail(Runtime, "integer division or modulo by zero")
	}
	i, from := 0, 0
	return m.generate(a[0], func() (value, bool) {
		if i >= n {
			return nil, false
		}
		m.step()
		to := from + len(items)/n
		if i < len(items)%n {
			to++
		}
		row := m.newList(items[from:to])
		if fill := optional(a[2], none{}); fill != (none{}) && i >= len(items)%n {
			row.items = append(row.items, fill)
		}
		i, from = i+1, to
		return row, true
	})
}
