package chat

import "math/big"

// globals are the functions that templates can call.
var globals map[string]value

func init() {
	globals = map[string]value{}
	for name, f := range named(map[string]*builtin{
		"raise_exception": define(func(m *machine, a []value) value {
			fail(Raise, "%s", m.string(a[0]).s)
			return nil
		}, "message"),
		"strftime_now": define(func(m *machine, a []value) value {
			format := textArg(a[0])
			m.grow(64 * len(format.s))
			return marked(strftime(m.now(), format.s), format)
		}, "format"),
		"range":     variadic(makeRange),
		"dict":      variadic(func(m *machine, a args) value { return m.makeDict("dict", a) }),
		"namespace": variadic(func(m *machine, a args) value { return &namespace{m.makeDict("namespace", a)} }),
		"cycler":    variadic(makeCycler),
		"joiner":    define(func(m *machine, a []value) value { return &joiner{sep: optional(a[0], text(", "))} }, "sep="),
		"lipsum": variadic(func(*machine, args) value {
			fail(Runtime, "lipsum is not supported")
			return nil
		}),
	}) {
		globals[name] = f
	}
}

// makeDict makes a dictionary of another one or of pairs, and of named arguments.
func (m *machine) makeDict(what string, a args) *dict {
	d := new(dict)
	if len(a.pos) > 1 {
		fail(Runtime, "%s expected at most 1 argument, got %d", what, len(a.pos))
	}
	if len(a.pos) == 1 {
		if from, ok := a.pos[0].(*dict); ok {
			m.grow(64 * len(from.keys))
			for i, k := range from.keys {
				d.set(k, from.vals[i])
			}
		} else {
			for _, pair := range m.items(a.pos[0]) {
				m.grow(64)
				kv := m.unpack(pair, 2)
				d.set(kv[0], kv[1])
			}
		}
	}
	for i, name := range a.names {
		d.set(text(name), a.named[i])
	}
	return d
}

// maxRange bounds the length of a range, as jinja2's sandbox does.
const maxRange = 100_000

func makeRange(_ *machine, a args) value {
	if len(a.names) > 0 || len(a.pos) == 0 || len(a.pos) > 3 {
		fail(Runtime, "range takes one to three numbers")
	}
	bounds := []int64{0, 0, 1}
	for i, v := range a.pos {
		if u, ok := v.(*undefined); ok {
			u.use()
		}
		n, ok := asInt(v)
		if _, isBig := v.(*big.Int); !ok && !isBig {
			fail(Runtime, "'%s' object cannot be interpreted as an integer", typeName(v))
		} else if !ok || n < -1<<62 || n > 1<<62 {
			fail(Runtime, "the range is too big")
		}
		bounds[i] = n
	}
	if len(a.pos) == 1 {
		bounds[0], bounds[1] = 0, bounds[0]
	}
	if bounds[2] == 0 {
		fail(Runtime, "range() arg 3 must not be zero")
	}
	s := newSpan(bounds[0], bounds[1], bounds[2])
	if s.n > maxRange {
		fail(Runtime, "the range is too big: more than %d numbers", maxRange)
	}
	return s
}

// newSpan returns the range of the numbers from first in steps, as long as they are before stop.
func newSpan(first, stop, step int64) *span {
	s := &span{first: first, stop: stop, step: step}
	switch {
	case s.step > 0 && s.first < s.stop:
		s.n = int64((uint64(s.stop-s.first) + uint64(s.step) - 1) / uint64(s.step))
	case s.step < 0 && s.first > s.stop:
		s.n = int64((uint64(s.first-s.stop) + uint64(-s.step) - 1) / uint64(-s.step))
	}
	return s
}

// cycler gives its items in turn.
type cycler struct {
	items []value
	at    int
}

func makeCycler(_ *machine, a args) value {
	if len(a.pos) == 0 || len(a.names) > 0 {
		fail(Runtime, "at least one item has to be provided")
	}
	return &cycler{items: a.pos}
}

func (c *cycler) attr(name string) (value, bool) {
	switch name {
	case "current":
		return c.items[c.at], true
	case "next":
		return variadic(func(*machine, args) value {
			v := c.items[c.at]
			c.at = (c.at + 1) % len(c.items)
			return v
		}), true
	case "reset":
		return variadic(func(*machine, args) value {
			c.at = 0
			return none{}
		}), true
	}
	return nil, false
}

// joiner gives nothing at first and a separator from then on.
type joiner struct {
	sep  value
	used bool
}

func (j *joiner) next() value {
	if !j.used {
		j.used = true
		return text("")
	}
	return j.sep
}

// self is the variable of that name: its attributes are the template's blocks.
type self struct{ m *machine }
