package constrain

import "fmt"

// builder turns expressions into a program, back to front: what follows is emitted first.
type builder struct {
	*program
	err     error
	sets    map[byteSet]int32
	wrapped map[*expr]int32 // repeated bodies that became rules
	classes map[string]int  // rules of character classes
	char    int             // the rule of any character in a JSON string, -1 before it exists
}

// end is the position of the end of every rule.
const end = 0

func newBuilder() *builder {
	b := &builder{program: &program{}, sets: map[byteSet]int32{}, wrapped: map[*expr]int32{}, classes: map[string]int{}, char: -1}
	b.inst(inst{op: opEnd})
	return b
}

// inst appends an instruction.
func (b *builder) inst(i inst) int32 {
	if len(b.insts) >= maxInsts {
		if b.err == nil {
			b.err = fmt.Errorf("needs more than %d instructions; use smaller bounds of repetition, or fewer alternatives", maxInsts)
		}
		return end
	}
	b.insts = append(b.insts, i)
	return int32(len(b.insts) - 1)
}

// define adds a rule whose body is to follow.
func (b *builder) define(name string) int {
	b.rules = append(b.rules, rule{name: name, start: -1})
	return len(b.rules) - 1
}

// body gives a rule its body.
func (b *builder) body(r int, e *expr) { b.rules[r].start = b.emit(e, end) }

// rule adds a rule with its body.
func (b *builder) rule(name string, e *expr) int {
	r := b.define(name)
	b.body(r, e)
	return r
}

// emit appends the instructions of an expression that goes on at next and returns its beginning.
func (b *builder) emit(e *expr, next int32) int32 {
	if b.err != nil {
		return end
	}
	switch e.kind {
	case exEmpty:
		return next
	case exNever:
		return b.inst(inst{op: opFail})
	case exSet:
		return b.inst(inst{op: opSet, arg: b.setIndex(e.set), x: next})
	case exCat:
		for i := len(e.subs) - 1; i >= 0; i-- {
			next = b.emit(e.subs[i], next)
		}
		return next
	case exAlt:
		at := b.emit(e.subs[len(e.subs)-1], next)
		for i := len(e.subs) - 2; i >= 0; i-- {
			at = b.split(b.emit(e.subs[i], next), at)
		}
		return at
	case exRepeat:
		return b.repeat(e, next)
	case exRule:
		return b.inst(inst{op: opCall, arg: int32(e.rule), x: next})
	}
	return b.automaton(e, next)
}

func (b *builder) split(x, y int32) int32 { return b.inst(inst{op: opSplit, x: x, y: y}) }

func (b *builder) setIndex(s byteSet) int32 {
	i, ok := b.sets[s]
	if !ok {
		i = int32(len(b.program.sets))
		b.sets[s] = i
		b.program.sets = append(b.program.sets, s)
	}
	return i
}

// repeat unrolls a repetition. A body larger than a byte that comes often is made a rule first.
func (b *builder) repeat(e *expr, next int32) int32 {
	body := e.subs[0]
	if n := max(e.min, e.max); n > 2 && body.kind != exSet && body.kind != exRule {
		r, ok := b.wrapped[body]
		if !ok {
			r = int32(b.rule("", body))
			b.wrapped[body] = r
		}
		body = call(int(r))
	}
	at := next
	if e.max < 0 {
		at = b.split(end, next)
		if b.err == nil {
			b.insts[at].x = b.emit(body, at)
		}
	}
	for i := e.min; i < e.max && b.err == nil; i++ {
		at = b.split(b.emit(body, at), next)
	}
	for i := 0; i < e.min && b.err == nil; i++ {
		at = b.emit(body, at)
	}
	return at
}

// automaton emits a deterministic automaton over characters.
func (b *builder) automaton(e *expr, next int32) int32 {
	at := make([]int32, len(e.dfa.states))
	for i := range at {
		at[i] = b.inst(inst{op: opJump})
	}
	for i, s := range e.dfa.states {
		from := int32(-1)
		or := func(p int32) {
			if from >= 0 {
				p = b.split(p, from)
			}
			from = p
		}
		if s.accept {
			or(next)
		}
		for _, t := range s.byTarget() {
			or(b.emit(b.class(t.ranges, e.quoted), at[t.to]))
		}
		if from < 0 {
			from = b.inst(inst{op: opFail})
		}
		if b.err != nil {
			return end
		}
		b.insts[at[i]].x = from
	}
	return at[0]
}

// class is one character of a set: a byte set where it can be, else a call.
func (b *builder) class(ranges []runeRange, quoted bool) *expr {
	if quoted && b.char >= 0 && len(ranges) == 1 && ranges[0] == anyRune {
		return call(b.char)
	}
	e := charClass(ranges)
	if quoted {
		e = quotedClass(ranges)
	}
	if e.kind == exSet {
		return e
	}
	key := fmt.Sprint(quoted, ranges)
	r, ok := b.classes[key]
	if !ok {
		r = b.rule("", e)
		b.classes[key] = r
	}
	return call(r)
}
