package constrain

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// JSONSchema compiles a JSON Schema, draft 2020-12. The package's documentation says what is
// enforced and what is refused.
func JSONSchema(schema []byte) (*Grammar, error) {
	const kind = "schema"
	if err := checkSize(kind, len(schema)); err != nil {
		return nil, err
	}
	root, err := parseJSON(schema)
	if err != nil {
		return nil, fmt.Errorf("constrain: %s: %w", kind, err)
	}
	b := newBuilder()
	c := &schemaCompiler{b: b, root: root, byPointer: map[string]int{}, rules: map[string]int{}, known: map[string][]shape{}}
	top, err := c.compile()
	if err != nil {
		return nil, fmt.Errorf("constrain: %s: %w", kind, err)
	}
	g, err := newGrammar(kind, b, top)
	if err == nil && g.Shortest() >= never {
		return nil, fmt.Errorf("constrain: %s: %w", kind, c.nothing())
	}
	return g, err
}

// schemaCompiler compiles one schema.
type schemaCompiler struct {
	b    *builder
	json *jsonRules
	root *value

	schemas   []*schema
	byPointer map[string]int

	rules map[string]int     // of sets of schemas
	known map[string][]shape // of sets of schemas
	queue [][]int            // sets whose rules have no body yet

	contradiction error // the first one found
}

// schema is one schema, read. Its references are to others by index; 0 is the schema that admits
// everything.
type schema struct {
	pointer string
	never   bool
	types   []jsonKind // nil: all
	enum    []*value   // nil: none

	numbers numbers
	str     stringSet
	array   *arrayPart
	items   span
	object  *objectPart
	members span

	required []string
	names    int
	ref      int
	allOf    []int
	anyOf    []int
	oneOf    []int
	done     bool
	under    bool // its shapes are being found
	shapes   []shape
}

// span is a range of a count; max < 0 is no bound.
type span struct{ min, max int }

func (s span) intersect(o span) span {
	out := span{max(s.min, o.min), s.max}
	if s.max < 0 || o.max >= 0 && o.max < s.max {
		out.max = o.max
	}
	return out
}

func (s span) empty() bool { return s.max >= 0 && s.max < s.min }

// arrayPart is what one schema says about the items of an array.
type arrayPart struct {
	prefix []int
	rest   int
}

// objectPart is what one schema says about the properties of an object.
type objectPart struct {
	keys       []string
	properties []int
	patterns   []patternPart
	rest       int
}

type patternPart struct {
	text   string
	dfa    *dfa
	schema int
}

// fail makes an error about a keyword: what is wrong, and what to do.
func fail(at *value, keyword, format string, args ...any) error {
	return fmt.Errorf("%s: %s: %s", at.pointer, keyword, fmt.Sprintf(format, args...))
}

// nothing is the error of a schema that no finite text satisfies.
func (c *schemaCompiler) nothing() error {
	if c.contradiction != nil {
		return c.contradiction
	}
	return errors.New("#: $ref: no finite text satisfies the schema, every one contains another; make a recursive property optional, or allow null")
}

// contradict remembers the first reason why a part admits nothing.
func (c *schemaCompiler) contradict(at, keyword, why string) {
	if c.contradiction == nil {
		c.contradiction = fmt.Errorf("%s: %s: nothing satisfies it, %s; relax one of the keywords", at, keyword, why)
	}
}

// maxSchemas bounds the parts of a schema.
const maxSchemas = 1 << 14

// load reads the schema at a value, once, and returns its index.
func (c *schemaCompiler) load(v *value) (int, error) {
	if i, ok := c.byPointer[v.pointer]; ok {
		return i, nil
	}
	s := &schema{pointer: v.pointer, items: span{0, -1}, members: span{0, -1}}
	s.str.length = span{0, -1}
	switch {
	case v.kind == jsonBoolean && v.is, v.kind == jsonObject && len(v.keys) == 0:
		return 0, nil
	case v.kind == jsonBoolean:
		s.never = true
	case v.kind != jsonObject:
		return 0, fmt.Errorf("%s: not a schema; a schema is an object, true or false", v.pointer)
	}
	if len(c.schemas) >= maxSchemas {
		return 0, fmt.Errorf("%s: more than %d schemas; make it smaller", v.pointer, maxSchemas)
	}
	i := len(c.schemas)
	c.schemas = append(c.schemas, s)
	c.byPointer[v.pointer] = i
	for _, key := range v.keys {
		if err := c.keyword(s, v, key, v.member(key)); err != nil {
			return 0, err
		}
	}
	return i, c.related(s, v)
}

// loadAll reads a list of schemas.
func (c *schemaCompiler) loadAll(v *value) (list []int, err error) {
	if v.kind != jsonArray || len(v.items) == 0 {
		return nil, fmt.Errorf("%s: expected a list of at least one schema", v.pointer)
	}
	for _, item := range v.items {
		i, err := c.load(item)
		if err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, nil
}

// refused says what to do instead of keywords that cannot be enforced.
var refused = map[string]string{
	"not":                   "say what is allowed, with enum, pattern or anyOf",
	"if":                    "write the cases as anyOf",
	"then":                  "write the cases as anyOf",
	"else":                  "write the cases as anyOf",
	"contains":              "use prefixItems or items",
	"minContains":           "use prefixItems or items",
	"maxContains":           "use prefixItems or items",
	"dependentRequired":     "write the cases as anyOf",
	"dependentSchemas":      "write the cases as anyOf",
	"dependencies":          "write the cases as anyOf",
	"unevaluatedProperties": "use additionalProperties",
	"unevaluatedItems":      "use items",
	"additionalItems":       "use prefixItems and items",
	"$anchor":               "refer by JSON pointer, such as #/$defs/name",
	"$dynamicAnchor":        "refer by JSON pointer, such as #/$defs/name",
	"$dynamicRef":           "use $ref",
	"$recursiveRef":         "use $ref",
	"$recursiveAnchor":      "use $ref",
	"$vocabulary":           "it belongs into meta-schemas; remove it",
	"nullable":              `use "type": ["...", "null"]`,
	"divisibleBy":           "use multipleOf",
	"disallow":              "say what is allowed",
	"extends":               "use allOf",
	"id":                    "remove it, or write $id at the root",
}

// annotations change nothing about what is valid.
var annotations = []string{
	"$schema", "$comment", "$defs", "definitions", "title", "description", "default", "examples", "example",
	"deprecated", "readOnly", "writeOnly", "contentEncoding", "contentMediaType", "contentSchema",
}

// related reads the keywords that hold schemas or refer to them.
func (c *schemaCompiler) related(s *schema, v *value) (err error) {
	if err := c.readItems(s, v); err != nil {
		return err
	}
	if err := c.readProperties(s, v); err != nil {
		return err
	}
	for _, k := range []struct {
		keyword string
		list    *[]int
	}{{"allOf", &s.allOf}, {"anyOf", &s.anyOf}, {"oneOf", &s.oneOf}} {
		if arg := v.member(k.keyword); arg != nil {
			if *k.list, err = c.loadAll(arg); err != nil {
				return err
			}
		}
	}
	if arg := v.member("$ref"); arg != nil {
		to, err := c.resolve(v, arg)
		if err != nil {
			return err
		}
		s.ref, err = c.load(to)
		return err
	}
	return nil
}

func (c *schemaCompiler) readItems(s *schema, v *value) (err error) {
	prefix, rest := v.member("prefixItems"), v.member("items")
	if prefix == nil && rest == nil {
		return nil
	}
	s.array = &arrayPart{}
	if prefix != nil {
		if s.array.prefix, err = c.loadAll(prefix); err != nil {
			return err
		}
	}
	if rest == nil {
		return nil
	}
	if rest.kind == jsonArray {
		return fail(v, "items", "a list is of draft 7; write prefixItems")
	}
	s.array.rest, err = c.load(rest)
	return err
}

func (c *schemaCompiler) readProperties(s *schema, v *value) (err error) {
	properties, patterns, rest, names := v.member("properties"), v.member("patternProperties"), v.member("additionalProperties"), v.member("propertyNames")
	if names != nil {
		if s.names, err = c.load(names); err != nil {
			return err
		}
	}
	if properties == nil && patterns == nil && rest == nil {
		return nil
	}
	p := &objectPart{}
	s.object = p
	for _, list := range []*value{properties, patterns} {
		if list == nil {
			continue
		}
		if list.kind != jsonObject {
			return fmt.Errorf("%s: expected an object of schemas by name", list.pointer)
		}
		for i, key := range list.keys {
			n, err := c.load(list.items[i])
			if err != nil {
				return err
			}
			if list == properties {
				p.keys, p.properties = append(p.keys, key), append(p.properties, n)
				continue
			}
			d, err := pattern(key)
			if err != nil {
				return fail(v, "patternProperties", "%v", err)
			}
			p.patterns = append(p.patterns, patternPart{key, d, n})
		}
	}
	if rest != nil {
		p.rest, err = c.load(rest)
	}
	return err
}

// resolve finds what a reference refers to.
func (c *schemaCompiler) resolve(v, arg *value) (*value, error) {
	if arg.kind != jsonString {
		return nil, fail(v, "$ref", "expected a string")
	}
	path, ok := strings.CutPrefix(arg.text, "#")
	if unescaped, err := url.PathUnescape(path); err == nil {
		path = unescaped
	}
	if !ok || path != "" && path[0] != '/' {
		return nil, fail(v, "$ref", "%q is not a JSON pointer into this schema, such as #/$defs/name; nothing is fetched, so copy it into $defs", clipped(arg.text))
	}
	at := c.root
	for _, token := range strings.Split(path, "/")[1:] {
		token = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
		i, err := strconv.Atoi(token)
		switch {
		case at.kind == jsonObject:
			at = at.member(token)
		case at.kind == jsonArray && err == nil && i >= 0 && i < len(at.items):
			at = at.items[i]
		default:
			at = nil
		}
		if at == nil {
			return nil, fail(v, "$ref", "nothing is at %q; define it, for example in $defs", clipped(arg.text))
		}
	}
	return at, nil
}
