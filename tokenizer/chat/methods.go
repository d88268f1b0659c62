package chat

import (
	"math"
	"math/big"
)

var dictMethods, listMethods, tupleMethods, intMethods, floatMethods map[string]*builtin

func init() {
	dictView := func(what string) *builtin {
		return define(func(_ *machine, a []value) value { return &view{a[0].(*dict), what} }, "d")
	}
	dictMethods = named(map[string]*builtin{
		"items": dictView("items"), "keys": dictView("keys"), "values": dictView("values"),
		"get": define(func(_ *machine, a []value) value {
			if v, ok := a[0].(*dict).get(a[1]); ok {
				return v
			}
			return optional(a[2], none{})
		}, "d", "key", "default="),
		"copy": define(func(m *machine, a []value) value { return m.makeDict("copy", args{pos: a}) }, "d"),
	})
	tupleMethods = named(map[string]*builtin{
		"index": define(sequenceIndex, "s", "value", "start=", "stop="),
		"count": define(sequenceCount, "s", "value"),
	})
	listMethods = named(map[string]*builtin{
		"index": tupleMethods["index"], "count": tupleMethods["count"],
		"copy": define(func(m *machine, a []value) value { return m.newList(m.items(a[0])) }, "s"),
	})
	intMethods = named(map[string]*builtin{
		"bit_length": define(func(_ *machine, a []value) value {
			i, _ := asBig(a[0])
			return int64(i.BitLen())
		}, "i"),
		"bit_count": define(func(_ *machine, a []value) value {
			i, _ := asBig(a[0])
			n := int64(0)
			for bit, abs := 0, new(big.Int).Abs(i); bit < abs.BitLen(); bit++ {
				n += int64(abs.Bit(bit))
			}
			return n
		}, "i"),
	})
	floatMethods = named(map[string]*builtin{
		"is_integer": define(func(_ *machine, a []value) value {
			f := a[0].(float64)
			return f == math.Trunc(f) && !math.IsInf(f, 0)
		}, "f"),
	})
}

func sequenceIndex(m *machine, a []value) value {
	items := m.items(a[0])
	from, to, _ := sliceBounds([3]value{optional(a[2], none{}), optional(a[3], none{}), none{}}, len(items))
	for i := from; i < to; i++ {
		if m.equal(items[i], a[1]) {
			return int64(i)
		}
	}
	fail(Runtime, "the value is not in the list")
	return nil
}

func sequenceCount(m *machine, a []value) value {
	n := int64(0)
	for _, item := range m.items(a[0]) {
		if m.equal(item, a[1]) {
			n++
		}
	}
	return n
}
