package constrain

import (
	"fmt"
	"slices"
)

// compile loads the schema and emits the rules of all its parts.
func (c *schemaCompiler) compile() (top int, err error) {
	c.schemas = []*schema{{}}
	c.json = newJSONRules(c.b)
	id, err := c.load(c.root)
	if err != nil {
		return 0, err
	}
	top = c.ruleOf(set(id))
	for len(c.queue) > 0 && c.b.err == nil {
		ids := c.queue[0]
		c.queue = c.queue[1:]
		shapes, err := c.shapesOfSet(ids)
		if err != nil {
			return 0, err
		}
		var alts []*expr
		for i := range shapes {
			e, err := c.shape(&shapes[i])
			if err != nil {
				return 0, err
			}
			alts = append(alts, e)
		}
		if len(shapes) == 0 && len(ids) == 1 && c.schemas[ids[0]].never {
			c.contradict(c.schemas[ids[0]].pointer, "false", "it is the schema false")
		}
		c.b.body(c.rules[fmt.Sprint(ids)], alt(alts...))
	}
	return top, nil
}

// ruleOf returns the rule of the values that satisfy all schemas of a set.
func (c *schemaCompiler) ruleOf(ids []int) int {
	if len(ids) == 0 {
		return c.json.any
	}
	key := fmt.Sprint(ids)
	r, ok := c.rules[key]
	if !ok {
		r = c.b.define(c.schemas[ids[0]].pointer)
		c.rules[key] = r
		c.queue = append(c.queue, ids)
	}
	return r
}

func (c *schemaCompiler) space() *expr { return call(c.json.space) }

// comma is what stands between two items or properties.
func (c *schemaCompiler) comma() *expr { return seq(c.space(), lit(","), c.space()) }

// shape returns the texts of a shape.
func (c *schemaCompiler) shape(s *shape) (*expr, error) {
	switch {
	case s.value != nil:
		return c.constant(s.value), nil
	case s.kind == jsonNumber:
		return c.number(s)
	case s.kind == jsonString:
		return c.text(s)
	case s.kind == jsonArray:
		return c.array(s.array), nil
	}
	return c.object(s)
}

func (c *schemaCompiler) number(s *shape) (*expr, error) {
	switch {
	case s.numbers.free() && s.numbers.whole:
		return call(c.json.integer), nil
	case s.numbers.free():
		return call(c.json.number), nil
	}
	d, err := s.numbers.automaton()
	if err != nil {
		return nil, fmt.Errorf("%s: minimum, maximum or multipleOf: %w", s.at, err)
	}
	if d.empty() {
		c.contradict(s.at, "minimum, maximum or multipleOf", fmt.Sprintf("no number of at most %d digits lies within the bounds", wholeDigits))
	}
	return &expr{kind: exDFA, dfa: d}, nil
}

func (c *schemaCompiler) text(s *shape) (*expr, error) {
	if s.str.dfa == nil {
		n := s.str.length
		return seq(lit(`"`), repeat(call(c.json.char), n.min, n.max), lit(`"`)), nil
	}
	d, err := s.str.texts()
	if err != nil {
		return nil, fmt.Errorf("%s: pattern or format with minLength or maxLength: %w", s.at, err)
	}
	if d.empty() {
		c.contradict(s.at, "pattern or format", "no string fits it and the other keywords")
	}
	return seq(lit(`"`), &expr{kind: exDFA, dfa: d, quoted: true}, lit(`"`)), nil
}

// constant returns the texts of one value; of its strings one spelling.
func (c *schemaCompiler) constant(v *value) *expr {
	switch v.kind {
	case jsonNull:
		return lit("null")
	case jsonBoolean:
		return lit(fmt.Sprint(v.is))
	case jsonNumber:
		return lit(v.text)
	case jsonString:
		return lit(quote(v.text))
	}
	open, closing := "[", "]"
	if v.kind == jsonObject {
		open, closing = "{", "}"
	}
	subs := []*expr{lit(open), c.space()}
	for i, item := range v.items {
		if i > 0 {
			subs = append(subs, c.comma())
		}
		if v.kind == jsonObject {
			subs = append(subs, lit(quote(v.keys[i])), c.space(), lit(":"), c.space())
		}
		subs = append(subs, c.constant(item))
	}
	if len(v.items) > 0 {
		subs = append(subs, c.space())
	}
	return seq(append(subs, lit(closing))...)
}

// array returns the texts of an array: the items that prefixItems describes, each optional from
// the least count on, then the others.
func (c *schemaCompiler) array(a *arraySet) *expr {
	prefix := 0
	for _, p := range a.parts {
		prefix = max(prefix, len(p.prefix))
	}
	lo, hi := a.count.min, a.count.max
	item := func(i int) *expr { return call(c.ruleOf(a.item(i))) }
	closing := func(i int) *expr {
		if i == 0 {
			return lit("]")
		}
		return seq(c.space(), lit("]"))
	}
	// rest is what may follow after at least one item and the prefix.
	rest := func(i int) *expr {
		most := -1
		if hi >= 0 {
			most = hi - i
		}
		more := c.b.rule("", seq(c.comma(), item(max(i, prefix))))
		return seq(repeat(call(more), max(lo-i, 0), most), closing(i))
	}
	var after *expr // i items
	for i := prefix; i >= 0; i-- {
		var alts []*expr
		if i >= lo && (i < prefix || i == 0) {
			alts = append(alts, closing(i))
		}
		room := hi < 0 || i < hi
		switch {
		case i == prefix && i > 0 && room:
			alts = append(alts, rest(i))
		case i == prefix && i > 0 && i >= lo:
			alts = append(alts, closing(i))
		case i == prefix && i == 0 && room:
			alts = append(alts, seq(item(0), rest(1)))
		case i < prefix && room && i > 0:
			alts = append(alts, seq(c.comma(), item(i), after))
		case i < prefix && room:
			alts = append(alts, seq(item(i), after))
		}
		after = call(c.b.rule("", alt(alts...)))
	}
	return seq(lit("["), c.space(), after)
}

// objectBuilder emits the texts of an object: its properties in order, then unnamed ones.
type objectBuilder struct {
	c        *schemaCompiler
	count    span
	members  []int  // rules of the named properties, from the key on
	required []bool // of each
	extra    []int  // rules of the unnamed ones
	states   map[objectState]int
}

// objectState is how far an object has come. Counts stop where more makes no difference.
type objectState struct {
	next     int // property
	distinct int // properties that certainly have different names
	all      int
	extra    bool
}

// maxPatterns bounds the regions of names, two to that power.
const maxPatterns = 6

func (c *schemaCompiler) object(s *shape) (*expr, error) {
	o := s.object
	ob := &objectBuilder{c: c, count: o.count, states: map[objectState]int{}}
	names, err := c.names(o.names)
	if err != nil {
		return nil, fmt.Errorf("%s: propertyNames: %w", s.at, err)
	}
	var keys []string
	for _, p := range o.parts {
		keys = append(keys, p.keys...)
	}
	keys = append(keys, o.required...)
	seen := map[string]bool{}
	for _, key := range keys {
		if seen[key] {
			continue
		}
		seen[key] = true
		required := slices.Contains(o.required, key)
		if names != nil && !names.accepts(key) {
			if required {
				c.contradict(s.at, "required", fmt.Sprintf("propertyNames excludes %q", key))
				return alt(), nil
			}
			continue
		}
		ids := o.property(key)
		if slices.ContainsFunc(ids, func(i int) bool { return c.schemas[i].never }) {
			if required {
				c.contradict(s.at, "required", fmt.Sprintf("property %q is not allowed", key))
				return alt(), nil
			}
			continue
		}
		ob.members = append(ob.members, c.member(lit(quote(key)), ids))
		ob.required = append(ob.required, required)
	}
	if ob.extra, err = c.extras(o, seen, names); err != nil {
		return nil, fmt.Errorf("%s: patternProperties, propertyNames or additionalProperties: %w", s.at, err)
	}
	if possible := len(ob.members) + min(len(ob.extra), 1); o.count.min > possible {
		c.contradict(s.at, "minProperties", fmt.Sprintf("only %d properties are certain to have different names; name them in properties", possible))
		return alt(), nil
	}
	if size := (len(ob.members) + 1) * (max(o.count.min, 0) + 1) * (max(o.count.max, 0) + 1); size > maxInsts/8 {
		return nil, fmt.Errorf("%s: minProperties or maxProperties: %d properties cannot be counted so far; use smaller bounds", s.at, len(ob.members))
	}
	return seq(lit("{"), c.space(), call(ob.state(objectState{}))), nil
}

// member returns the rule of a property.
func (c *schemaCompiler) member(key *expr, ids []int) int {
	return c.b.rule("", seq(key, c.space(), lit(":"), c.space(), call(c.ruleOf(ids))))
}

// names returns the automaton of the names that propertyNames admits, nil for all.
func (c *schemaCompiler) names(ids []int) (*dfa, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	shapes, err := c.shapesOfSet(ids)
	if err != nil {
		return nil, err
	}
	all := words(nil)
	for i := range shapes {
		s := &shapes[i]
		if s.kind != jsonString {
			continue
		}
		var d *dfa
		if s.value != nil {
			d = words([]string{s.value.text})
		} else if d, err = s.str.texts(); err != nil {
			return nil, err
		}
		if all, err = combine(all, d, either); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// extras returns the rules of properties that have no name in the schema: one for each set of
// patterns that such a name can match.
func (c *schemaCompiler) extras(o *objectSet, named map[string]bool, names *dfa) (rules []int, err error) {
	var patterns []patternPart
	for _, p := range o.parts {
		patterns = append(patterns, p.patterns...)
	}
	if len(patterns) > maxPatterns {
		return nil, fmt.Errorf("%d patterns overlap in too many ways; use at most %d", len(patterns), maxPatterns)
	}
	if len(patterns) == 0 && len(named) == 0 && names == nil {
		return c.extra(o, call(c.json.text), patterns, 0)
	}
	free := anyText()
	if names != nil {
		free = names
	}
	list := make([]string, 0, len(named))
	for key := range named {
		list = append(list, key)
	}
	slices.Sort(list)
	if free, err = combine(free, words(list), minus); err != nil {
		return nil, err
	}
	for region := range 1 << len(patterns) {
		d := free
		for i, p := range patterns {
			op := minus
			if region>>i&1 != 0 {
				op = both
			}
			if d, err = combine(d, p.dfa, op); err != nil {
				return nil, err
			}
		}
		if d.empty() {
			continue
		}
		key := seq(lit(`"`), &expr{kind: exDFA, dfa: d, quoted: true}, lit(`"`))
		more, err := c.extra(o, key, patterns, region)
		if err != nil {
			return nil, err
		}
		rules = append(rules, more...)
	}
	return rules, nil
}

// extra returns the rule of properties whose names match the patterns of a region, none if they
// are not allowed.
func (c *schemaCompiler) extra(o *objectSet, key *expr, patterns []patternPart, region int) ([]int, error) {
	var ids []int
	i := 0
	for _, p := range o.parts {
		found := false
		for range p.patterns {
			if region>>i&1 != 0 {
				found = true
				ids = append(ids, patterns[i].schema)
			}
			i++
		}
		if !found {
			ids = append(ids, p.rest)
		}
	}
	ids = set(ids...)
	shapes, err := c.shapesOfSet(ids)
	if err != nil || len(shapes) == 0 {
		return nil, err
	}
	return []int{c.member(key, ids)}, nil
}

// state returns the rule of what follows in an object.
func (ob *objectBuilder) state(s objectState) int {
	s.distinct = min(s.distinct, ob.count.min)
	s.all = min(s.all, max(ob.count.max, 1))
	if r, ok := ob.states[s]; ok {
		return r
	}
	b := ob.c.b
	r := b.define("")
	ob.states[s] = r
	room := ob.count.max < 0 || s.all < ob.count.max
	member := func(rule int, next objectState) *expr {
		next.all++
		if s.all == 0 {
			return seq(call(rule), call(ob.state(next)))
		}
		return seq(ob.c.comma(), call(rule), call(ob.state(next)))
	}
	var alts []*expr
	if s.next < len(ob.members) {
		next := s
		next.next++
		if !ob.required[s.next] {
			alts = append(alts, call(ob.state(next)))
		}
		if next.distinct++; room {
			alts = append(alts, member(ob.members[s.next], next))
		}
	} else {
		if s.distinct >= ob.count.min {
			alts = append(alts, ob.closing(s))
		}
		next := s
		if !s.extra {
			next.distinct++
		}
		next.extra = true
		for i := 0; room && i < len(ob.extra); i++ {
			alts = append(alts, member(ob.extra[i], next))
		}
	}
	b.body(r, alt(alts...))
	return r
}

func (ob *objectBuilder) closing(s objectState) *expr {
	if s.all == 0 {
		return lit("}")
	}
	return seq(ob.c.space(), lit("}"))
}
