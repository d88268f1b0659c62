package constrain

import (
	"fmt"
	"math/big"
	"slices"
)

// shape is one way to satisfy some schemas: a value, or values of one kind. Several shapes are
// alternatives.
type shape struct {
	at      string // where it is written, for errors
	kind    jsonKind
	value   *value // the only one, if not nil; always so for null and booleans
	numbers *numbers
	str     *stringSet
	array   *arraySet
	object  *objectSet
}

// stringSet is a set of strings; a nil automaton admits all.
type stringSet struct {
	length span
	dfa    *dfa
}

// arraySet is what several schemas say about an array.
type arraySet struct {
	parts []*arrayPart
	count span
}

// objectSet is what several schemas say about an object.
type objectSet struct {
	parts    []*objectPart
	required []string
	names    []int
	count    span
}

// maxShapes bounds the alternatives of a schema.
const maxShapes = 1 << 9

// set returns indices of schemas sorted, each once, without that which admits everything.
func set(ids ...int) []int {
	out := slices.DeleteFunc(slices.Clone(ids), func(i int) bool { return i == 0 })
	slices.Sort(out)
	return slices.Compact(out)
}

// shapesOfSet returns the alternatives of what satisfies all schemas of a set that is not empty.
func (c *schemaCompiler) shapesOfSet(ids []int) (shapes []shape, err error) {
	key := fmt.Sprint(ids)
	if shapes, ok := c.known[key]; ok {
		return shapes, nil
	}
	if len(ids) == 0 {
		shapes = (&schema{str: stringSet{length: span{0, -1}}, items: span{0, -1}, members: span{0, -1}}).base(c)
	}
	for i, id := range ids {
		next, err := c.shapesOf(id)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			shapes = next
			continue
		}
		if shapes, err = c.cross(c.schemas[id], "allOf", shapes, next); err != nil {
			return nil, err
		}
	}
	c.known[key] = shapes
	return shapes, nil
}

// shapesOf returns the alternatives of a schema.
func (c *schemaCompiler) shapesOf(id int) (shapes []shape, err error) {
	if id == 0 {
		return c.shapesOfSet(nil)
	}
	s := c.schemas[id]
	if s.done {
		return s.shapes, nil
	}
	if s.under {
		return nil, fmt.Errorf("%s: $ref: the schema refers to itself without anything between; remove the circle", s.pointer)
	}
	s.under = true
	defer func() { s.under = false }()
	shapes = s.base(c)
	for _, id := range append(set(s.ref), s.allOf...) {
		next, err := c.shapesOf(id)
		if err != nil {
			return nil, err
		}
		if shapes, err = c.cross(s, "allOf", shapes, next); err != nil {
			return nil, err
		}
	}
	for _, of := range []struct {
		list []int
		one  bool
	}{{s.anyOf, false}, {s.oneOf, true}} {
		if len(of.list) == 0 {
			continue
		}
		if shapes, err = c.union(s, shapes, of.list, of.one); err != nil {
			return nil, err
		}
	}
	s.done, s.shapes = true, shapes
	return shapes, nil
}

// base returns the alternatives that the schema's own keywords leave.
func (s *schema) base(c *schemaCompiler) (shapes []shape) {
	if s.never {
		return nil
	}
	kinds := s.types
	if kinds == nil {
		kinds = []jsonKind{jsonObject, jsonArray, jsonString, jsonNumber, jsonBoolean, jsonNull}
	}
	bounded := func(keyword string, n span, add shape) {
		if n.empty() {
			c.contradict(s.pointer, keyword, fmt.Sprintf("the most are %d", n.max))
			return
		}
		shapes = append(shapes, add)
	}
	for _, kind := range kinds {
		sh := shape{at: s.pointer, kind: kind}
		switch kind {
		case jsonNull:
			sh.value = &value{kind: jsonNull}
			shapes = append(shapes, sh)
		case jsonBoolean:
			sh.value = &value{kind: jsonBoolean, is: true}
			shapes = append(shapes, sh)
			sh.value = &value{kind: jsonBoolean}
			shapes = append(shapes, sh)
		case jsonNumber:
			sh.numbers = &s.numbers
			shapes = append(shapes, sh)
		case jsonString:
			sh.str = &s.str
			bounded("minLength", s.str.length, sh)
		case jsonArray:
			sh.array = &arraySet{count: s.items}
			if s.array != nil {
				sh.array.parts = []*arrayPart{s.array}
			}
			bounded("minItems", s.items, sh)
		case jsonObject:
			sh.object = &objectSet{required: s.required, names: set(s.names), count: s.members}
			if s.object != nil {
				sh.object.parts = []*objectPart{s.object}
			}
			bounded("minProperties", s.members, sh)
		}
	}
	if s.enum != nil {
		return s.listed(c, shapes)
	}
	return shapes
}

// listed returns the values of enum that one of the shapes admits.
func (s *schema) listed(c *schemaCompiler, shapes []shape) (kept []shape) {
	for _, v := range s.enum {
		for i := range shapes {
			if c.admits(&shapes[i], v) {
				kept = append(kept, shape{at: s.pointer, kind: v.kind, value: v})
				break
			}
		}
	}
	if len(kept) == 0 {
		c.contradict(s.pointer, "enum", "no value listed is allowed by the other keywords")
	}
	return kept
}

// union returns the alternatives that are left of some under anyOf or oneOf. For oneOf, what is left
// by each branch must exclude what is left by the others.
func (c *schemaCompiler) union(s *schema, of []shape, list []int, one bool) (all []shape, err error) {
	var before [][]shape
	for i, id := range list {
		shapes, err := c.shapesOf(id)
		if err != nil {
			return nil, err
		}
		if shapes, err = c.cross(s, "anyOf", of, shapes); err != nil {
			return nil, err
		}
		for j := 0; one && j < i; j++ {
			if !c.disjoint(before[j], shapes, 0) {
				return nil, fmt.Errorf("%s: oneOf: branches %d and %d may both hold, and exactly one cannot be enforced; use anyOf, or make them differ by type or by a required property with const", s.pointer, j, i)
			}
		}
		before = append(before, shapes)
		if all = append(all, shapes...); len(all) > maxShapes {
			return nil, tooManyShapes(s, "anyOf")
		}
	}
	return all, nil
}

func tooManyShapes(s *schema, keyword string) error {
	return fmt.Errorf("%s: %s: more than %d alternatives; use fewer branches", s.pointer, keyword, maxShapes)
}

// cross returns the alternatives of values that satisfy both sides.
func (c *schemaCompiler) cross(s *schema, keyword string, x, y []shape) (out []shape, err error) {
	for i := range x {
		for j := range y {
			m, ok, err := c.meet(&x[i], &y[j])
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", s.pointer, keyword, err)
			}
			if ok {
				out = append(out, m)
			}
		}
	}
	if len(out) > maxShapes && len(out) > max(len(x), len(y)) {
		return nil, tooManyShapes(s, keyword)
	}
	if len(out) == 0 && len(x) > 0 && len(y) > 0 {
		c.contradict(s.pointer, keyword, "its parts exclude one another")
	}
	return out, nil
}

// meet returns the shape of values that have both shapes, if there are any.
func (c *schemaCompiler) meet(x, y *shape) (m shape, ok bool, err error) {
	if x.kind != y.kind {
		return m, false, nil
	}
	if x.value != nil {
		return *x, c.admits(y, x.value), nil
	}
	if y.value != nil {
		return *y, c.admits(x, y.value), nil
	}
	m = shape{at: x.at, kind: x.kind}
	switch x.kind {
	case jsonNumber:
		m.numbers = x.numbers.intersect(y.numbers)
		return m, true, nil
	case jsonString:
		m.str, err = x.str.intersect(y.str)
		return m, err == nil && !m.str.length.empty() && (m.str.dfa == nil || !m.str.dfa.empty()), err
	case jsonArray:
		m.array = &arraySet{slices.Concat(x.array.parts, y.array.parts), x.array.count.intersect(y.array.count)}
		return m, !m.array.count.empty(), nil
	}
	o, p := x.object, y.object
	m.object = &objectSet{slices.Concat(o.parts, p.parts), slices.Clone(o.required), set(append(slices.Clone(o.names), p.names...)...), o.count.intersect(p.count)}
	for _, key := range p.required {
		if !slices.Contains(m.object.required, key) {
			m.object.required = append(m.object.required, key)
		}
	}
	return m, !m.object.count.empty(), nil
}

func (s *stringSet) intersect(o *stringSet) (*stringSet, error) {
	out := &stringSet{s.length.intersect(o.length), s.dfa}
	if s.dfa == nil {
		out.dfa = o.dfa
		return out, nil
	}
	if o.dfa == nil {
		return out, nil
	}
	var err error
	out.dfa, err = combine(s.dfa, o.dfa, both)
	return out, err
}

// texts returns the automaton of the strings.
func (s *stringSet) texts() (*dfa, error) {
	d := s.dfa
	if d == nil {
		d = anyText()
	}
	if s.length == (span{0, -1}) {
		return d, nil
	}
	if max(s.length.min, s.length.max) > maxStates {
		return nil, errStates
	}
	return combine(d, lengths(s.length.min, s.length.max), both)
}

// item returns the schemas of an item of an array.
func (a *arraySet) item(i int) []int {
	var ids []int
	for _, p := range a.parts {
		if i < len(p.prefix) {
			ids = append(ids, p.prefix[i])
		} else {
			ids = append(ids, p.rest)
		}
	}
	return set(ids...)
}

// property returns the schemas of a property of an object.
func (o *objectSet) property(key string) []int {
	var ids []int
	for _, p := range o.parts {
		found := false
		if i := slices.Index(p.keys, key); i >= 0 {
			found = true
			ids = append(ids, p.properties[i])
		}
		for _, pattern := range p.patterns {
			if pattern.dfa.accepts(key) {
				found = true
				ids = append(ids, pattern.schema)
			}
		}
		if !found {
			ids = append(ids, p.rest)
		}
	}
	return set(ids...)
}

// admits reports whether a value has a shape.
func (c *schemaCompiler) admits(s *shape, v *value) bool {
	if s.kind != v.kind {
		return false
	}
	if s.value != nil {
		return s.value.equal(v)
	}
	switch v.kind {
	case jsonNumber:
		x, ok := new(big.Rat).SetString(v.text)
		return ok && s.numbers.has(x)
	case jsonString:
		n := len([]rune(v.text))
		return n >= s.str.length.min && (s.str.length.max < 0 || n <= s.str.length.max) && (s.str.dfa == nil || s.str.dfa.accepts(v.text))
	case jsonArray:
		if n := len(v.items); n < s.array.count.min || s.array.count.max >= 0 && n > s.array.count.max {
			return false
		}
		for i, item := range v.items {
			if !c.admitsSet(s.array.item(i), item) {
				return false
			}
		}
		return true
	}
	o := s.object
	if n := len(v.items); n < o.count.min || o.count.max >= 0 && n > o.count.max {
		return false
	}
	for _, key := range o.required {
		if v.member(key) == nil {
			return false
		}
	}
	for i, key := range v.keys {
		if !c.admitsSet(o.property(key), v.items[i]) || !c.admitsSet(o.names, &value{kind: jsonString, text: key}) {
			return false
		}
	}
	return true
}

// admitsSet reports whether a value satisfies all schemas of a set. What cannot be known here, the
// shapes of a schema whose shapes are being found, counts as not.
func (c *schemaCompiler) admitsSet(ids []int, v *value) bool {
	shapes, err := c.shapesOfSet(ids)
	if err != nil {
		return false
	}
	for i := range shapes {
		if c.admits(&shapes[i], v) {
			return true
		}
	}
	return false
}

// disjoint reports whether it is certain that no value has a shape of both sides.
func (c *schemaCompiler) disjoint(x, y []shape, depth int) bool {
	for i := range x {
		for j := range y {
			if !c.apart(&x[i], &y[j], depth) {
				return false
			}
		}
	}
	return true
}

// apart is disjoint for two shapes.
func (c *schemaCompiler) apart(x, y *shape, depth int) bool {
	const deepest = 4
	m, ok, err := c.meet(x, y)
	if err != nil || !ok {
		return err == nil
	}
	switch {
	case m.value != nil:
		return false
	case m.kind == jsonNumber:
		d, err := m.numbers.automaton()
		return err == nil && d.empty()
	case m.kind == jsonString:
		d, err := m.str.texts()
		return err == nil && d.empty()
	case depth >= deepest:
		return false
	case m.kind == jsonArray:
		for i := range m.array.count.min {
			if c.setsApart(x.array.item(i), y.array.item(i), depth) {
				return true
			}
			if i > 16 {
				break
			}
		}
		return false
	}
	for _, key := range m.object.required {
		if c.setsApart(x.object.property(key), y.object.property(key), depth) {
			return true
		}
	}
	return false
}

func (c *schemaCompiler) setsApart(x, y []int, depth int) bool {
	xs, err := c.shapesOfSet(x)
	ys, err2 := c.shapesOfSet(y)
	return err == nil && err2 == nil && c.disjoint(xs, ys, depth+1)
}
