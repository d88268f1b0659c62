package chat

func (x *constExpr) eval(m *machine) value { return x.v }

func (captured) eval(m *machine) value { return m.captured }

func (x *nameExpr) eval(m *machine) value {
	m.step()
	if v, ok := m.scope.get(x.name); ok {
		return v
	}
	return missing(x.name)
}

func (m *machine) evalAll(xs []expr) []value {
	m.grow(16 * len(xs))
	items := make([]value, len(xs))
	for i, x := range xs {
		items[i] = x.eval(m)
	}
	return items
}

func (x *listExpr) eval(m *machine) value  { return &list{m.evalAll(x.items)} }
func (x *tupleExpr) eval(m *machine) value { return &tuple{items: m.evalAll(x.items)} }

func (x *dictExpr) eval(m *machine) value {
	m.grow(64 * (len(x.keys) + 1))
	d := new(dict)
	for i, k := range x.keys {
		d.set(k.eval(m), x.vals[i].eval(m))
	}
	return d
}

func (x *unaryExpr) eval(m *machine) value {
	v := x.x.eval(m)
	if x.op == '!' {
		return !truth(v)
	}
	return negative(v, x.op == '+')
}

func (x *binaryExpr) eval(m *machine) value {
	m.step()
	a := x.a.eval(m)
	return m.binary(x.op, a, x.b.eval(m))
}

func (x *andExpr) eval(m *machine) value {
	if v := x.a.eval(m); !truth(v) {
		return v
	}
	return x.b.eval(m)
}

func (x *orExpr) eval(m *machine) value {
	if v := x.a.eval(m); truth(v) {
		return v
	}
	return x.b.eval(m)
}

func (x *concatExpr) eval(m *machine) value {
	m.step()
	parts := make([]*str, len(x.parts))
	safe := false
	for i, p := range x.parts {
		parts[i] = m.string(p.eval(m))
		safe = safe || parts[i].safe
	}
	b := m.builder()
	for _, p := range parts {
		if m.autoescape && safe {
			p = m.escape(p)
		}
		b.add(p)
	}
	return b.str().as(&str{safe: m.autoescape && safe})
}

func (x *compareExpr) eval(m *machine) value {
	m.step()
	a := x.x.eval(m)
	for _, op := range x.ops {
		b := op.x.eval(m)
		if !m.compare(op.op, a, b) {
			return false
		}
		a = b
	}
	return true
}

func (x *condExpr) eval(m *machine) value {
	m.step()
	if truth(x.cond.eval(m)) {
		return x.then.eval(m)
	}
	if x.otherwise == nil {
		return &undefined{"the inline if-expression has no else and its condition is false", Undefined}
	}
	return x.otherwise.eval(m)
}

func (x *attrExpr) eval(m *machine) value {
	m.step()
	return m.attr(x.x.eval(m), x.name)
}

func (x *itemExpr) eval(m *machine) value {
	m.step()
	v := x.x.eval(m)
	return m.item(v, x.key.eval(m))
}

func (x *sliceExpr) eval(m *machine) value {
	m.step()
	v := x.x.eval(m)
	var bounds [3]value
	for i, b := range []expr{x.from, x.to, x.step} {
		bounds[i] = none{}
		if b != nil {
			bounds[i] = b.eval(m)
		}
	}
	return m.slice(v, bounds)
}

func (x *filterExpr) eval(m *machine) value {
	m.step()
	v := x.x.eval(m)
	a := m.evalArgs(x.args, v)
	m.line = x.line
	return x.filter.invoke(m, a)
}

func (x *testExpr) eval(m *machine) value {
	m.step()
	v := x.x.eval(m)
	a := m.evalArgs(x.args, v)
	m.line = x.line
	return x.test.invoke(m, a)
}

func (x *callExpr) eval(m *machine) value {
	f, a := x.prepare(m)
	return m.call(f, a)
}

// prepare evaluates what is called and the arguments.
func (x *callExpr) prepare(m *machine) (f value, a args) {
	m.step()
	f = x.f.eval(m)
	a = m.evalArgs(x.args)
	m.line = x.line
	return f, a
}
