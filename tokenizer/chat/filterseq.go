package chat

import (
	"slices"
	"strconv"
	"strings"
)

// getter returns what gets an attribute such as "function.name" or "items.0" of a value; a part
// that is missing becomes def, if that is given. No attribute gets the value itself.
func (m *machine) getter(attribute, def value) func(v value) value {
	var keys []value
	switch a := attribute.(type) {
	case nil, none:
	case *str:
		for _, part := range strings.Split(a.s, ".") {
			if n, err := strconv.ParseInt(part, 10, 64); err == nil && strings.Trim(part, decimal) == "" {
				keys = append(keys, n)
			} else {
				keys = append(keys, text(part))
			}
		}
	default:
		keys = []value{a}
	}
	return func(v value) value {
		for _, k := range keys {
			m.step()
			v = m.item(v, k)
			if _, ok := v.(*undefined); ok && def != nil && def != (none{}) {
				v = def
			}
		}
		return v
	}
}

// folded returns what gets an attribute in lower case, unless sensitive.
func (m *machine) folded(get func(v value) value, sensitive value) func(v value) value {
	if sensitive != nil && truth(sensitive) {
		return get
	}
	return func(v value) value {
		v = get(v)
		if s, ok := v.(*str); ok {
			return m.lower(s)
		}
		return v
	}
}

// sortOrder compares as < does.
func (m *machine) sortOrder(a, b value) int {
	if m.less(a, b) {
		return -1
	}
	if m.less(b, a) {
		return 1
	}
	return 0
}

// sorted returns items in the order of their keys; those with equal keys keep theirs.
func (m *machine) sorted(items []value, key func(v value) value, reverse bool) *list {
	type pair struct{ item, key value }
	pairs := make([]pair, len(items))
	m.grow(32 * len(items))
	for i, item := range items {
		pairs[i] = pair{item, key(item)}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int {
		if reverse {
			return m.sortOrder(b.key, a.key)
		}
		return m.sortOrder(a.key, b.key)
	})
	out := m.newList(items)
	for i, p := range pairs {
		out.items[i] = p.item
	}
	return out
}

func filterSort(m *machine, a []value) value {
	var gets []func(v value) value
	if s, ok := a[3].(*str); ok {
		for _, part := range strings.Split(s.s, ",") {
			gets = append(gets, m.folded(m.getter(text(part), nil), a[2]))
		}
	} else {
		gets = append(gets, m.folded(m.getter(a[3], nil), a[2]))
	}
	return m.sorted(m.items(a[0]), func(v value) value {
		keys := make([]value, len(gets))
		for i, get := range gets {
			keys[i] = get(v)
		}
		return &list{keys}
	}, a[1] != nil && truth(a[1]))
}

func filterDictSort(m *machine, a []value) value {
	d, ok := a[0].(*dict)
	if !ok {
		fail(Runtime, "dictsort needs a dict, found '%s'", typeName(a[0]))
	}
	by := int64(slices.Index([]string{"key", "value"}, textArg(optional(a[2], text("key"))).s))
	if by < 0 {
		fail(Runtime, `dictsort sorts by "key" or "value" only`)
	}
	get := m.folded(m.getter(by, nil), a[1])
	return m.sorted((&view{d, "items"}).items(), get, a[3] != nil && truth(a[3]))
}

func filterFirst(m *machine, a []value) value {
	if v, ok := m.iterate(a[0])(); ok {
		return v
	}
	return &undefined{"No first item, sequence was empty.", Undefined}
}

func filterLast(m *machine, a []value) value {
	if _, ok := a[0].(*generator); ok {
		fail(Runtime, "'generator' object is not reversible: put | list before | last")
	}
	switch v := a[0].(type) {
	case *str, *list, *tuple, *span:
		if got, ok := m.at(v, -1); ok {
			return got
		}
	default:
		if items := m.items(v); len(items) > 0 {
			return items[len(items)-1]
		}
	}
	return &undefined{"No last item, sequence was empty.", Undefined}
}

func filterReverse(m *machine, a []value) value {
	if s, ok := a[0].(*str); ok {
		return m.slice(s, [3]value{none{}, none{}, int64(-1)})
	}
	items := m.newList(m.items(a[0]))
	slices.Reverse(items.items)
	if _, ok := a[0].(*generator); ok {
		return items
	}
	return m.generate(a[0], ofItems(items.items))
}

func filterJoin(m *machine, a []value) value {
	get := m.getter(a[2], nil)
	var parts []*str
	safe := false
	next := m.iterate(a[0])
	for v, ok := next(); ok; v, ok = next() {
		m.grow(16)
		s := m.string(get(v))
		safe = safe || s.safe
		parts = append(parts, s)
	}
	d := m.string(optional(a[1], text("")))
	if m.autoescape && (safe || d.safe) {
		d = m.escape(d)
		for i := range parts {
			parts[i] = m.escape(parts[i])
		}
		return m.join(d, parts).as(&str{safe: true})
	}
	return m.join(d, parts).plain()
}

func filterUnique(m *machine, a []value) value {
	key := m.folded(m.getter(a[2], nil), a[1])
	next := m.iterate(a[0])
	seen := make(map[any]bool)
	return m.generate(a[0], func() (value, bool) {
		for {
			v, ok := next()
			if !ok {
				return nil, false
			}
			if h := hash(key(v)); !seen[h] {
				m.grow(64)
				seen[h] = true
				return v, true
			}
		}
	})
}

// extreme returns the filter min or max.
func extreme(largest bool) func(m *machine, a []value) value {
	return func(m *machine, a []value) value {
		key := m.folded(m.getter(a[2], nil), a[1])
		next := m.iterate(a[0])
		best, ok := next()
		if !ok {
			return &undefined{"No aggregated item, sequence was empty.", Undefined}
		}
		bestKey := key(best)
		for v, ok := next(); ok; v, ok = next() {
			k := key(v)
			if largest && m.less(bestKey, k) || !largest && m.less(k, bestKey) {
				best, bestKey = v, k
			}
		}
		return best
	}
}

func filterSum(m *machine, a []value) value {
	total := optional(a[2], int64(0))
	if _, ok := total.(*str); ok {
		fail(Runtime, "sum() can't sum strings")
	}
	get := m.getter(a[1], nil)
	next := m.iterate(a[0])
	for v, ok := next(); ok; v, ok = next() {
		total = m.binary("+", total, get(v))
	}
	return total
}

func filterGroupBy(m *machine, a []value) value {
	get := m.getter(a[1], a[2])
	key := m.folded(get, a[3])
	groups := new(list)
	var last value
	for _, v := range m.sorted(m.items(a[0]), key, false).items {
		k := key(v)
		if len(groups.items) == 0 || !m.equal(k, last) {
			m.grow(96)
			groups.items = append(groups.items, &tuple{[]value{get(v), new(list)}, true})
			last = k
		}
		g := groups.items[len(groups.items)-1].(*tuple).items[1].(*list)
		g.items = append(g.items, v)
	}
	return groups
}
