package chat

import (
	"maps"
	"time"
)

// machine renders one template once.
type machine struct {
	template *Template
	now      func() time.Time
	line     int // of the statement or call under way

	root, scope *scope
	out         *builder // what is printed goes here
	main        *builder // the rendered text
	captured    *str     // the text of a block, for its filters
	autoescape  bool

	steps, bytes, output int // left
	depth                int
	generated            []generated
}

// generated is what a generation block has written: where in the text, and how many code points.
type generated struct{ at, points int }

func newMachine(t *Template, in Input) *machine {
	limits := in.Limits
	if limits.Steps == 0 {
		limits.Steps = 1_000_000 + 16*len(in.Variables)
	}
	if limits.Bytes == 0 {
		limits.Bytes = 64<<20 + 64*len(in.Variables)
	}
	if limits.Output == 0 {
		limits.Output = 16 << 20
	}
	m := &machine{template: t, now: in.Now, line: 1, steps: limits.Steps, bytes: limits.Bytes, output: limits.Output}
	if m.now == nil {
		m.now = time.Now
	}
	m.root = &scope{all: maps.Clone(globals)}
	m.root.set("self", &self{m})
	return m
}

// step counts a unit of work.
func (m *machine) step() {
	if m.steps--; m.steps < 0 {
		m.steps = 0
		fail(Limit, "the template takes too many steps")
	}
}

// grow counts memory that is going to be used.
func (m *machine) grow(n int) {
	if n < 0 || n > m.bytes {
		fail(Limit, "the template takes too much memory")
	}
	m.bytes -= n
}

// enter bounds the depth of values and calls.
func (m *machine) enter() {
	if m.depth++; m.depth > maxDepth {
		fail(Limit, "nested too deep")
	}
}

func (m *machine) leave() { m.depth-- }

// scope is the names of one block, within those of another.
type scope struct {
	all    map[string]value // of the root; nil elsewhere
	few    []variable
	room   [3]variable // the first ones of few
	parent *scope
}

type variable struct {
	name string
	v    value
}

func (s *scope) set(name string, v value) {
	if s.all != nil {
		s.all[name] = v
		return
	}
	for i := range s.few {
		if s.few[i].name == name {
			s.few[i].v = v
			return
		}
	}
	if s.few == nil {
		s.few = s.room[:0]
	}
	s.few = append(s.few, variable{name, v})
}

func (s *scope) get(name string) (value, bool) {
	for ; s != nil; s = s.parent {
		if s.all != nil {
			v, ok := s.all[name]
			return v, ok
		}
		for i := range s.few {
			if s.few[i].name == name {
				return s.few[i].v, true
			}
		}
	}
	return nil, false
}

// within runs statements in a scope below parent.
func (m *machine) within(parent *scope, body []stmt) flow {
	before := m.scope
	m.scope = &scope{parent: parent}
	f := m.run(body)
	m.scope = before
	return f
}

// capture returns what f prints.
func (m *machine) capture(f func()) *str {
	before := m.out
	m.out = m.builder()
	f()
	s := m.out.str()
	s.safe = m.autoescape
	m.out = before
	return s
}

func (m *machine) run(body []stmt) flow {
	for _, s := range body {
		if f := s.run(m); f != flowNext {
			return f
		}
	}
	return flowNext
}

// print writes a value to the output.
func (m *machine) print(v value) {
	s := m.string(v)
	if m.autoescape {
		s = m.escape(s)
	}
	m.out.add(s)
	if m.out == m.main && len(m.out.b) > m.output {
		fail(Limit, "the text is longer than %d bytes", m.output)
	}
}

// assign gives a value to a target.
func (m *machine) assign(t *target, v value) {
	switch {
	case t.isTuple:
		items := m.unpack(v, len(t.tuple))
		for i := range t.tuple {
			m.assign(&t.tuple[i], items[i])
		}
	case t.attr != "":
		of, _ := m.scope.get(t.name)
		ns, ok := of.(*namespace)
		if !ok {
			fail(Runtime, "cannot assign attribute on non-namespace object %s", t.name)
		}
		m.grow(16)
		ns.attrs.set(text(t.attr), v)
	default:
		m.scope.set(t.name, v)
	}
}

// unpack returns the n values of a sequence.
func (m *machine) unpack(v value, n int) []value {
	next := m.iterate(v)
	items := make([]value, 0, n)
	for item, ok := next(); ok; item, ok = next() {
		if len(items) == n {
			fail(Runtime, "too many values to unpack (expected %d)", n)
		}
		items = append(items, item)
	}
	if len(items) < n {
		fail(Runtime, "not enough values to unpack (expected %d, got %d)", n, len(items))
	}
	return items
}
