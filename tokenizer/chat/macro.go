package chat

import "slices"

// macro is a macro, or the body of a call block, with the scope that it was defined in.
type macro struct {
	def   *macroDef
	scope *scope
}

// callMacro binds the arguments, as jinja2's runtime.Macro does, and returns what the body prints.
func (m *machine) callMacro(f *macro, a args) value {
	m.step()
	def := f.def
	s := &scope{parent: f.scope}
	given := min(len(a.pos), len(def.params))
	var left []string // parameters without a value
	for i, name := range def.params {
		v, ok := value(nil), true
		if i < given {
			v = a.pos[i]
		} else if v, ok = a.take(name); !ok {
			left = append(left, name)
			continue
		}
		s.set(name, v)
	}
	m.special(f, a, given, s)
	before, line := m.scope, m.line
	m.scope = s
	for _, name := range left {
		s.set(name, m.defaultOf(def, name))
	}
	out := m.capture(func() { m.run(def.body) })
	m.scope, m.line = before, line
	return out
}

// special sets caller, kwargs and varargs, where the macro uses them, to the arguments that are left.
func (m *machine) special(f *macro, a args, given int, s *scope) {
	def := f.def
	if def.caller && !slices.Contains(def.params, "caller") {
		caller, ok := a.take("caller")
		if !ok {
			caller = &undefined{"No caller defined", Undefined}
		}
		s.set("caller", caller)
	}
	if def.kwargs {
		d := new(dict)
		for i, name := range a.names {
			d.set(text(name), a.named[i])
		}
		s.set("kwargs", d)
	} else if len(a.names) > 0 {
		fail(Runtime, "macro '%s' takes no keyword argument '%s'", def.name, a.names[0])
	}
	if def.varargs {
		s.set("varargs", &tuple{items: slices.Clone(a.pos[given:])})
	} else if len(a.pos) > len(def.params) {
		fail(Runtime, "macro '%s' takes not more than %d argument(s)", def.name, len(def.params))
	}
}

// defaultOf evaluates a parameter's default in the macro's scope.
func (m *machine) defaultOf(def *macroDef, name string) value {
	i := slices.Index(def.params, name) - (len(def.params) - len(def.defaults))
	if i < 0 {
		return &undefined{"parameter '" + name + "' was not provided", Undefined}
	}
	return def.defaults[i].eval(m)
}

func (f *macro) attr(name string) (value, bool) {
	switch name {
	case "name":
		return text(f.def.name), true
	case "arguments":
		t := new(tuple)
		for _, p := range f.def.params {
			t.items = append(t.items, text(p))
		}
		return t, true
	case "caller":
		return f.def.caller, true
	case "catch_kwargs":
		return f.def.kwargs, true
	case "catch_varargs":
		return f.def.varargs, true
	}
	return nil, false
}
