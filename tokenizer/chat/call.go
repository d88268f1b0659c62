package chat

import "slices"

// args are the values that something is called with.
type args struct {
	pos   []value
	names []string
	named []value
}

// evalArgs evaluates arguments; first come before them.
func (m *machine) evalArgs(x argExprs, first ...value) (a args) {
	a.pos = first
	if len(x.pos) > 0 {
		a.pos = make([]value, 0, len(first)+len(x.pos))
		a.pos = append(a.pos, first...)
	}
	for _, p := range x.pos {
		a.pos = append(a.pos, p.eval(m))
	}
	if x.list != nil {
		a.pos = append(slices.Clip(a.pos), m.items(x.list.eval(m))...)
	}
	for i, p := range x.named {
		a.name(x.names[i], p.eval(m))
	}
	if x.dict != nil {
		d, ok := x.dict.eval(m).(*dict)
		if !ok {
			fail(Runtime, "argument after ** must be a mapping")
		}
		for i, k := range d.keys {
			s, ok := k.(*str)
			if !ok {
				fail(Runtime, "keywords must be strings")
			}
			a.name(s.s, d.vals[i])
		}
	}
	return a
}

func (a *args) name(name string, v value) {
	if slices.Contains(a.names, name) {
		fail(Runtime, "keyword argument repeated: %s", name)
	}
	a.names, a.named = append(a.names, name), append(a.named, v)
}

// take removes and returns a named argument.
func (a *args) take(name string) (value, bool) {
	i := slices.Index(a.names, name)
	if i < 0 {
		return nil, false
	}
	v := a.named[i]
	a.names, a.named = slices.Delete(slices.Clone(a.names), i, i+1), slices.Delete(slices.Clone(a.named), i, i+1)
	return v, true
}

// A builtin is a function, filter, test or method. Of a filter, a test and a method the first
// argument is what it applies to.
type builtin struct {
	name     string
	params   []string // names; one that ends in = may be left out, its value is then nil
	required int
	f        func(m *machine, a []value) value
	raw      func(m *machine, a args) value // takes any arguments
}

// define returns a function with named parameters.
func define(f func(m *machine, a []value) value, params ...string) *builtin {
	b := &builtin{f: f, params: params}
	for i, p := range params {
		if p[len(p)-1] != '=' {
			b.required = i + 1
		} else {
			params[i] = p[:len(p)-1]
		}
	}
	return b
}

// variadic returns a function that takes any arguments.
func variadic(f func(m *machine, a args) value) *builtin { return &builtin{raw: f} }

// named gives the functions of a table their names.
func named(table map[string]*builtin) map[string]*builtin {
	for name, b := range table {
		b.name = name
	}
	return table
}

// invoke calls a builtin.
func (b *builtin) invoke(m *machine, a args) value {
	if b.raw != nil {
		return b.raw(m, a)
	}
	if len(a.pos) > len(b.params) {
		fail(Runtime, "%s takes at most %d arguments (%d given)", b.name, len(b.params), len(a.pos))
	}
	vals := a.pos
	if len(vals) < len(b.params) {
		vals = make([]value, len(b.params))
		copy(vals, a.pos)
	}
	for i, name := range a.names {
		at := slices.Index(b.params, name)
		switch {
		case at < 0:
			fail(Runtime, "%s has no argument %s", b.name, name)
		case vals[at] != nil:
			fail(Runtime, "%s got two values for the argument %s", b.name, name)
		}
		vals[at] = a.named[i]
	}
	for i := range b.required {
		if vals[i] == nil {
			fail(Runtime, "%s needs the argument %s", b.name, b.params[i])
		}
	}
	return b.f(m, vals)
}

// call calls a value.
func (m *machine) call(f value, a args) value {
	m.enter()
	defer m.leave()
	switch f := f.(type) {
	case *method:
		if f.f.raw == nil && len(a.names) == 0 && len(a.pos) < len(f.f.params) {
			vals := make([]value, len(f.f.params))
			vals[0] = f.of
			copy(vals[1:], a.pos)
			return f.f.invoke(m, args{pos: vals[:max(1+len(a.pos), f.f.required)]})
		}
		return f.f.invoke(m, args{append([]value{f.of}, a.pos...), a.names, a.named})
	case *builtin:
		return f.invoke(m, a)
	case *macro:
		return m.callMacro(f, a)
	case *loop:
		return f.recurse(m, a)
	case *joiner:
		return f.next()
	case *blockStmt:
		return m.capture(func() { f.run(m) })
	case *undefined:
		f.use()
	}
	fail(Runtime, "'%s' object is not callable", typeName(f))
	return nil
}

// callable reports whether a value can be called.
func callable(v value) bool {
	switch v.(type) {
	case *method, *builtin, *macro, *loop, *joiner, *blockStmt, *undefined:
		return true
	}
	return false
}

// The optional arguments: the value given, or def where none is.

func optional(v, def value) value {
	if v == nil {
		return def
	}
	return v
}

func optionalInt(v value, def int) int {
	if v == nil {
		return def
	}
	return index(v)
}

// index returns an integer argument, within what an index may be.
func index(v value) int {
	i, ok := asBig(v)
	if !ok {
		fail(Runtime, "'%s' object cannot be interpreted as an integer", typeName(v))
	}
	const most = 1 << 31
	switch {
	case !i.IsInt64() && i.Sign() < 0 || i.IsInt64() && i.Int64() < -most:
		return -most
	case !i.IsInt64() || i.Int64() > most:
		return most
	}
	return int(i.Int64())
}

// textArg returns an argument that must be a string.
func textArg(v value) *str {
	s, ok := v.(*str)
	if !ok {
		fail(Runtime, "expected a string, found '%s'", typeName(v))
	}
	return s
}
