package chat

import "math/big"

// tests are the tests by name; the first argument is what is tested.
var tests map[string]*builtin

func init() {
	tests = named(map[string]*builtin{
		"defined":   is(func(_ *machine, v value) bool { _, ok := v.(*undefined); return !ok }),
		"undefined": is(func(_ *machine, v value) bool { _, ok := v.(*undefined); return ok }),
		"none":      is(func(_ *machine, v value) bool { return v == none{} }),
		"boolean":   is(func(_ *machine, v value) bool { _, ok := v.(bool); return ok }),
		"true":      is(func(_ *machine, v value) bool { return v == true }),
		"false":     is(func(_ *machine, v value) bool { return v == false }),
		"string":    is(func(_ *machine, v value) bool { _, ok := v.(*str); return ok }),
		"number":    is(func(_ *machine, v value) bool { return isNumber(v) }),
		"float":     is(func(_ *machine, v value) bool { return isFloat(v) }),
		"integer":   is(isInteger),
		"mapping":   is(func(_ *machine, v value) bool { _, ok := v.(*dict); return ok }),
		"sequence":  is(isSequence),
		"iterable":  is(func(m *machine, v value) bool { _, ok := m.tryIterate(v); return ok }),
		"callable":  is(func(_ *machine, v value) bool { return callable(v) }),
		"escaped":   is(func(_ *machine, v value) bool { s, ok := v.(*str); return ok && s.safe }),
		"lower":     is(func(m *machine, v value) bool { return isCased(m.string(v).s, false) }),
		"upper":     is(func(m *machine, v value) bool { return isCased(m.string(v).s, true) }),
		"odd":       is(func(m *machine, v value) bool { return m.equal(m.binary("%", v, int64(2)), int64(1)) }),
		"even":      is(func(m *machine, v value) bool { return m.equal(m.binary("%", v, int64(2)), int64(0)) }),
		"filter":    is(func(_ *machine, v value) bool { s, ok := v.(*str); return ok && filters[s.s] != nil }),
		"test":      is(func(_ *machine, v value) bool { s, ok := v.(*str); return ok && tests[s.s] != nil }),
		"sameas":    compares(func(_ *machine, a, b value) bool { return a == b }),
		"divisibleby": compares(func(m *machine, a, b value) bool {
			return m.equal(m.binary("%", a, b), int64(0))
		}),
		"in": compares(func(m *machine, a, b value) bool { return m.contains(b, a) }),
	})
	for op, names := range map[string][]string{
		"==": {"eq", "equalto"}, "!=": {"ne"}, ">": {"gt", "greaterthan"}, ">=": {"ge"}, "<": {"lt", "lessthan"}, "<=": {"le"},
	} {
		f := compares(func(m *machine, a, b value) bool { return m.compare(op, a, b) })
		for _, name := range append(names, op) {
			tests[name] = f
		}
		f.name = names[0]
	}
}

func is(f func(m *machine, v value) bool) *builtin {
	return define(func(m *machine, a []value) value { return f(m, a[0]) }, "value")
}

func compares(f func(m *machine, a, b value) bool) *builtin {
	return define(func(m *machine, a []value) value { return f(m, a[0], a[1]) }, "value", "other")
}

func isInteger(_ *machine, v value) bool {
	switch v.(type) {
	case int64, *big.Int:
		return true
	}
	return false
}

// isSequence reports what has a length and items.
func isSequence(_ *machine, v value) bool {
	switch v.(type) {
	case *str, *list, *tuple, *dict, *span, *undefined:
		return true
	}
	return false
}
