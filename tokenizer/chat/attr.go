package chat

import "strings"

// attr is x.name: an attribute or method, or else an item.
func (m *machine) attr(v value, name string) value {
	d, isDict := v.(*dict)
	if isDict && (strings.HasPrefix(name, "_") || dictMethods[name] == nil) {
		if got, ok := d.attr(name); ok {
			return got
		}
	}
	if got, ok := m.ownAttr(v, name); ok {
		return got
	}
	return &undefined{"'" + typeName(v) + " object' has no attribute '" + name + "'", Undefined}
}

// ownAttr returns an attribute or a method, but no item.
func (m *machine) ownAttr(v value, name string) (got value, ok bool) {
	if strings.HasPrefix(name, "_") {
		return private(v, name)
	}
	var methods map[string]*builtin
	switch v := v.(type) {
	case *undefined:
		v.use()
	case *str:
		methods = stringMethods
	case *dict:
		methods = dictMethods
	case *list:
		methods = listMethods
	case *tuple:
		if v.group && (name == "grouper" || name == "list") {
			return v.items[strings.Index("grouper list", name)/len("grouper ")], true
		}
		methods = tupleMethods
	case *namespace:
		return v.attrs.attr(name)
	case *loop:
		return v.attr(m, name)
	case *macro:
		return v.attr(name)
	case *cycler:
		return v.attr(name)
	case *self:
		b, ok := v.m.template.blocks[name]
		return b, ok
	case float64:
		methods = floatMethods
	default:
		if _, ok := asBig(v); ok {
			methods = intMethods
		}
	}
	if f, ok := methods[name]; ok {
		return &method{v, f}, true
	}
	if mutators[typeName(v)+"."+name] {
		return &undefined{"access to attribute '" + name + "' of '" + typeName(v) + "' object is unsafe", Security}, true
	}
	return nil, false
}

// mutators are the methods that would change an object.
var mutators = map[string]bool{}

func init() {
	for _, name := range strings.Fields("dict.clear dict.pop dict.popitem dict.setdefault dict.update list.append list.clear " +
		"list.pop list.reverse list.insert list.sort list.extend list.remove") {
		mutators[name] = true
	}
}

// private is an attribute whose name begins with an underscore. Python's own are there and unsafe;
// an attribute of a namespace is an error.
func private(v value, name string) (got value, ok bool) {
	switch v := v.(type) {
	case *undefined:
		v.use()
	case *namespace:
		if _, ok := v.attrs.attr(name); ok {
			fail(Security, "access to attribute '%s' of a namespace is unsafe", name)
		}
	}
	if strings.HasPrefix(name, "__") && strings.HasSuffix(name, "__") {
		return &undefined{"access to attribute '" + name + "' of '" + typeName(v) + "' object is unsafe", Security}, true
	}
	return nil, false
}

// item is x[key]: an item, or else an attribute or method.
func (m *machine) item(v, key value) value {
	switch v := v.(type) {
	case *undefined:
		v.use()
	case *dict:
		switch key.(type) {
		case *list, *dict: // cannot be keys
		default:
			if got, ok := v.get(key); ok {
				return got
			}
		}
	case *generator:
	default:
		if i, ok := asInt(key); ok {
			if got, ok := m.at(v, i); ok {
				return got
			}
		}
	}
	if name, ok := key.(*str); ok {
		if got, ok := m.ownAttr(v, name.s); ok {
			return got
		}
		return &undefined{"'" + typeName(v) + " object' has no attribute '" + name.s + "'", Undefined}
	}
	return &undefined{"'" + typeName(v) + " object' has no such item", Undefined}
}

// at returns an item by its number, from the end if that is negative.
func (m *machine) at(v value, i int64) (value, bool) {
	n, ok := int64(0), true
	switch v := v.(type) {
	case *str, *list, *tuple, *span:
		var length int
		length, ok = m.length(v)
		n = int64(length)
	default:
		return nil, false
	}
	if i < 0 {
		i += n
	}
	if !ok || i < 0 || i >= n {
		return nil, false
	}
	switch v := v.(type) {
	case *str:
		return v.slice(int(i), int(i)+1), true
	case *list:
		return v.items[i], true
	case *tuple:
		return v.items[i], true
	case *span:
		return v.first + i*v.step, true
	}
	return nil, false
}

// slice is x[from:to:step].
func (m *machine) slice(v value, bounds [3]value) value {
	var items []value
	n := 0
	switch v := v.(type) {
	case *str:
		n = v.length()
	case *list:
		items, n = v.items, len(v.items)
	case *tuple:
		items, n = v.items, len(v.items)
	case *span:
		n = int(v.n)
	case *undefined:
		v.use()
	default:
		fail(Runtime, "'%s' object cannot be sliced", typeName(v))
	}
	from, to, step := sliceBounds(bounds, n)
	if s, ok := v.(*str); ok && step == 1 {
		return s.slice(from, max(from, to))
	}
	if s, ok := v.(*span); ok {
		return newSpan(s.first+int64(from)*s.step, s.first+int64(to)*s.step, s.step*int64(step))
	}
	var picked []value
	if s, ok := v.(*str); ok {
		items = m.chars(s)
	}
	for i := from; step > 0 && i < to || step < 0 && i > to; i += step {
		m.grow(16)
		picked = append(picked, items[i])
	}
	switch v := v.(type) {
	case *str:
		b := m.builder()
		for _, c := range picked {
			b.add(c.(*str))
		}
		if step < 0 {
			return marked(string(b.b), v).as(v)
		}
		return b.str().as(v)
	case *tuple:
		return &tuple{items: picked}
	}
	return &list{picked}
}

// sliceBounds returns the first index, the end and the step of a slice of n items.
func sliceBounds(bounds [3]value, n int) (from, to, step int) {
	step = 1
	if _, ok := bounds[2].(none); !ok {
		if step = index(bounds[2]); step == 0 {
			fail(Runtime, "slice step cannot be zero")
		}
	}
	low, high := 0, n
	if step < 0 {
		low, high = -1, n-1
	}
	bound := func(v value, def int) int {
		if _, ok := v.(none); ok {
			return def
		}
		i := index(v)
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	if step < 0 {
		return bound(bounds[0], high), bound(bounds[1], low), step
	}
	return bound(bounds[0], low), bound(bounds[1], high), step
}
