package chat

import "unicode/utf8"

func (s *textStmt) run(m *machine) flow {
	m.step()
	m.out.add(s.text)
	if m.out == m.main && len(m.out.b) > m.output {
		fail(Limit, "the text is longer than %d bytes", m.output)
	}
	return flowNext
}

func (s *printStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	m.print(s.x.eval(m))
	return flowNext
}

func (s *ifStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	if truth(s.cond.eval(m)) {
		return m.run(s.body)
	}
	return m.run(s.rest)
}

func (s *setStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	m.assign(&s.target, s.x.eval(m))
	return flowNext
}

// block returns the text of a block, filtered.
func (m *machine) block(body []stmt, filter expr) (s value, f flow) {
	m.enter()
	defer m.leave()
	s = m.capture(func() { f = m.within(m.scope, body) })
	if filter != nil {
		before := m.captured
		m.captured = s.(*str)
		s = filter.eval(m)
		m.captured = before
	}
	return s, f
}

func (s *setBlockStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	v, f := m.block(s.body, s.filter)
	if f == flowNext {
		m.assign(&s.target, v)
	}
	return f
}

func (s *filterStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	v, f := m.block(s.body, s.filter)
	if f == flowNext {
		m.print(v)
	}
	return f
}

func (s *withStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	before := m.scope
	inner := &scope{parent: before}
	for i, x := range s.values {
		v := x.eval(m)
		m.scope = inner
		m.assign(&s.targets[i], v)
		m.scope = before
	}
	m.scope = inner
	f := m.run(s.body)
	m.scope = before
	return f
}

func (s *blockStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	m.enter()
	m.within(m.root, s.body)
	m.leave()
	return flowNext
}

func (s *autoescapeStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	before := m.autoescape
	m.autoescape = truth(s.on.eval(m))
	f := m.within(m.scope, s.body)
	m.autoescape = before
	return f
}

func (s *generationStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	v := m.capture(func() { m.within(m.scope, s.body) })
	m.generated = append(m.generated, generated{len(m.main.b), utf8.RuneCountInString(v.s)})
	m.out.add(v)
	return flowNext
}

func (s *loadStmt) run(m *machine) flow {
	m.line = s.line
	fail(Runtime, "{%% %s %%}: there are no other templates", s.tag)
	return flowNext
}

func (s *flowStmt) run(m *machine) flow {
	m.step()
	return s.flow
}

func (s *macroStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	m.scope.set(s.m.name, &macro{def: s.m, scope: m.scope})
	return flowNext
}

func (s *callStmt) run(m *machine) flow {
	m.line = s.line
	m.step()
	f, a := s.call.prepare(m)
	a.names, a.named = append(a.names, "caller"), append(a.named, &macro{def: s.caller, scope: m.scope})
	m.print(m.call(f, a))
	return flowNext
}
