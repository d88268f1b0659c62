package chat

import (
	"cmp"
	"math"
	"math/big"
	"strings"
)

// maxDepth bounds how deep values and calls nest.
const maxDepth = 200

// equal is Python's ==.
func (m *machine) equal(a, b value) bool {
	m.step()
	m.enter()
	defer m.leave()
	switch x := a.(type) {
	case *str:
		y, ok := b.(*str)
		return ok && x.s == y.s
	case none:
		_, ok := b.(none)
		return ok
	case *undefined:
		_, ok := b.(*undefined)
		return ok
	case *list:
		y, ok := b.(*list)
		return ok && m.equalItems(x.items, y.items)
	case *tuple:
		y, ok := b.(*tuple)
		return ok && m.equalItems(x.items, y.items)
	case *dict:
		y, ok := b.(*dict)
		return ok && m.equalDicts(x, y)
	case *span:
		y, ok := b.(*span)
		return ok && x.n == y.n && (x.n == 0 || x.first == y.first && (x.n == 1 || x.step == y.step))
	}
	if c, ok := compareNumbers(a, b); ok {
		return c == 0
	}
	if isNumber(a) || isNumber(b) {
		return false
	}
	return a == b
}

func (m *machine) equalItems(a, b []value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !m.equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func (m *machine) equalDicts(a, b *dict) bool {
	if len(a.keys) != len(b.keys) {
		return false
	}
	for i, k := range a.keys {
		v, ok := b.get(k)
		if !ok || !m.equal(a.vals[i], v) {
			return false
		}
	}
	return true
}

func isNumber(v value) bool {
	switch v.(type) {
	case bool, int64, *big.Int, float64:
		return true
	}
	return false
}

// compareNumbers compares two numbers; ok is false for what is none, and for NaN.
func compareNumbers(a, b value) (c int, ok bool) {
	if x, ok := asInt(a); ok {
		if y, ok := asInt(b); ok {
			return cmp.Compare(x, y), true
		}
	}
	x, ok := exact(a)
	if !ok {
		return 0, false
	}
	y, ok := exact(b)
	if !ok {
		return 0, false
	}
	return x.Cmp(y), true
}

// exact returns a number without rounding.
func exact(v value) (*big.Float, bool) {
	if f, ok := v.(float64); ok {
		if math.IsNaN(f) {
			return nil, false
		}
		return big.NewFloat(f), true
	}
	i, ok := asBig(v)
	if !ok {
		return nil, false
	}
	return new(big.Float).SetPrec(max(64, uint(i.BitLen()))).SetInt(i), true
}

// order compares as Python's < and > do; ok is false for what has no order.
func (m *machine) order(a, b value) (c int, ok bool) {
	m.step()
	m.enter()
	defer m.leave()
	switch x := a.(type) {
	case *str:
		if y, ok := b.(*str); ok {
			return strings.Compare(x.s, y.s), true
		}
	case *list:
		if y, ok := b.(*list); ok {
			return m.orderItems(x.items, y.items)
		}
	case *tuple:
		if y, ok := b.(*tuple); ok {
			return m.orderItems(x.items, y.items)
		}
	}
	return compareNumbers(a, b)
}

func (m *machine) orderItems(a, b []value) (c int, ok bool) {
	for i := range min(len(a), len(b)) {
		if !m.equal(a[i], b[i]) {
			return m.order(a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b)), true
}

// less is Python's <.
func (m *machine) less(a, b value) bool { return m.compare("<", a, b) }

// compare is one comparison.
func (m *machine) compare(op string, a, b value) bool {
	switch op {
	case "==":
		return m.equal(a, b)
	case "!=":
		return !m.equal(a, b)
	case "in":
		return m.contains(b, a)
	case "not in":
		return !m.contains(b, a)
	}
	c, ok := m.order(a, b)
	if !ok {
		for _, v := range []value{a, b} {
			if u, ok := v.(*undefined); ok {
				u.use()
			}
		}
		if isNumber(a) && isNumber(b) {
			return false // NaN
		}
		fail(Runtime, "'%s' not supported between instances of '%s' and '%s'", op, typeName(a), typeName(b))
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	}
	return c >= 0
}

// contains is Python's in.
func (m *machine) contains(container, v value) bool {
	switch c := container.(type) {
	case *str:
		s, ok := v.(*str)
		if !ok {
			fail(Runtime, "'in <string>' requires string as left operand, not %s", typeName(v))
		}
		return strings.Contains(c.s, s.s)
	case *dict:
		return c.find(v) >= 0
	}
	next := m.iterate(container)
	for item, ok := next(); ok; item, ok = next() {
		if m.equal(item, v) {
			return true
		}
	}
	return false
}
