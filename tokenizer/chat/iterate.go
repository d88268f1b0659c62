package chat

import "unicode/utf8"

// An iterator returns the next value each time, and false after the last.
type iterator func() (value, bool)

// generator is a sequence whose values are computed when they are asked for.
type generator struct {
	next  iterator
	depth int // generators that it takes its values from, one through the other
}

func ofItems(items []value) iterator {
	i := -1
	return func() (value, bool) {
		if i++; i < len(items) {
			return items[i], true
		}
		return nil, false
	}
}

// generate returns a generator that takes its values from source.
func (m *machine) generate(source value, next iterator) *generator {
	g := &generator{next: next}
	if s, ok := source.(*generator); ok {
		g.depth = s.depth + 1
	}
	if g.depth > maxDepth {
		fail(Limit, "generators nested too deep")
	}
	return g
}

// iterate is Python's iter().
func (m *machine) iterate(v value) iterator {
	it, ok := m.tryIterate(v)
	if !ok {
		fail(Runtime, "'%s' object is not iterable", typeName(v))
	}
	return func() (value, bool) {
		m.step()
		return it()
	}
}

func (m *machine) tryIterate(v value) (it iterator, ok bool) {
	switch v := v.(type) {
	case *list:
		return ofItems(v.items), true
	case *tuple:
		return ofItems(v.items), true
	case *str:
		at := 0
		return func() (value, bool) {
			if at == len(v.s) {
				return nil, false
			}
			_, size := utf8.DecodeRuneInString(v.s[at:])
			at += size
			m.grow(64)
			return v.bytes(at-size, at).plain(), true
		}, true
	case *dict:
		return ofItems(v.keys), true
	case *view:
		return ofItems(v.items()), true
	case *generator:
		return v.next, true
	case *undefined:
		return ofItems(nil), true
	case *span:
		i := int64(-1)
		return func() (value, bool) {
			i++
			return v.first + i*v.step, i < v.n
		}, true
	}
	return nil, false
}

// items returns all values of a sequence, which may be its own.
func (m *machine) items(v value) []value {
	switch v := v.(type) {
	case *list:
		return v.items
	case *tuple:
		return v.items
	case *dict:
		return v.keys
	}
	var items []value
	next := m.iterate(v)
	for item, ok := next(); ok; item, ok = next() {
		m.grow(16)
		items = append(items, item)
	}
	return items
}
