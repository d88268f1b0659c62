package constrain

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// keyword reads a keyword that stands on its own.
func (c *schemaCompiler) keyword(s *schema, v *value, key string, arg *value) (err error) {
	switch key {
	case "type":
		return s.readTypes(v, arg)
	case "enum":
		if arg.kind != jsonArray || len(arg.items) == 0 {
			return fail(v, key, "expected a list of at least one value")
		}
		return s.restrict(v, key, arg.items)
	case "const":
		return s.restrict(v, key, []*value{arg})
	case "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf":
		return s.readNumber(v, key, arg)
	case "minLength", "maxLength":
		return s.str.length.read(v, key, arg)
	case "minItems", "maxItems":
		return s.items.read(v, key, arg)
	case "minProperties", "maxProperties":
		return s.members.read(v, key, arg)
	case "pattern", "format":
		return s.readText(v, key, arg)
	case "required":
		s.required, err = readNames(v, key, arg)
		return err
	case "uniqueItems":
		if arg.kind != jsonBoolean {
			return fail(v, key, "expected true or false")
		}
		if most := v.member("maxItems"); arg.is && (most == nil || most.text != "0" && most.text != "1") {
			return fail(v, key, "cannot be enforced for more than one item; remove it and check the result, or name the choices as boolean properties")
		}
		return nil
	case "$id":
		if v.pointer != "#" {
			return fail(v, key, "is supported at the root only; remove it")
		}
		return nil
	case "properties", "patternProperties", "additionalProperties", "prefixItems", "items", "propertyNames",
		"$ref", "allOf", "anyOf", "oneOf":
		return nil // of related
	}
	if next, ok := refused[key]; ok {
		return fail(v, key, "cannot be enforced; %s", next)
	}
	if slices.Contains(annotations, key) || strings.HasPrefix(key, "x-") {
		return nil
	}
	return fail(v, strconv.Quote(clipped(key)), "unknown keyword; correct or remove it (annotations may begin with x-)")
}

// restrict narrows the values that are listed.
func (s *schema) restrict(at *value, keyword string, list []*value) error {
	for _, v := range list {
		if err := checkNumbers(v); err != nil {
			return fail(at, keyword, "%v", err)
		}
	}
	if s.enum == nil {
		s.enum = list
		return nil
	}
	kept := []*value{}
	for _, v := range s.enum {
		if slices.ContainsFunc(list, v.equal) {
			kept = append(kept, v)
		}
	}
	s.enum = kept
	return nil
}

// checkNumbers refuses numbers out of range.
func checkNumbers(v *value) error {
	if v.kind == jsonNumber {
		_, err := parseNumber(v.text)
		return err
	}
	for _, item := range v.items {
		if err := checkNumbers(item); err != nil {
			return err
		}
	}
	return nil
}

var typeNames = map[string]jsonKind{
	"null": jsonNull, "boolean": jsonBoolean, "number": jsonNumber, "integer": jsonNumber,
	"string": jsonString, "array": jsonArray, "object": jsonObject,
}

func (s *schema) readTypes(v, arg *value) error {
	list := []*value{arg}
	if arg.kind == jsonArray {
		list = arg.items
	}
	s.types = []jsonKind{}
	whole, fractions := false, false
	for _, t := range list {
		kind, ok := typeNames[t.text]
		if t.kind != jsonString || !ok {
			return fail(v, "type", "found %q, expected null, boolean, integer, number, string, array, object or a list of them", clipped(t.text))
		}
		whole = whole || t.text == "integer"
		fractions = fractions || t.text == "number"
		if !slices.Contains(s.types, kind) {
			s.types = append(s.types, kind)
		}
	}
	if len(s.types) == 0 {
		return fail(v, "type", "the list is empty; name at least one type")
	}
	s.numbers.whole = whole && !fractions
	return nil
}

func (s *schema) readNumber(v *value, key string, arg *value) error {
	if arg.kind == jsonBoolean {
		return fail(v, key, "true and false are of draft 4; write the bound itself")
	}
	if arg.kind != jsonNumber {
		return fail(v, key, "expected a number")
	}
	x, err := parseNumber(arg.text)
	if err != nil {
		return fail(v, key, "%v", err)
	}
	n := &s.numbers
	switch key {
	case "multipleOf":
		if x.Sign() <= 0 {
			return fail(v, key, "found %s, expected a positive number", clipped(arg.text))
		}
		n.multiples = []*big.Rat{x}
	case "minimum", "exclusiveMinimum":
		n.lo = tighter(n.lo, &limit{x, key != "minimum"}, 1)
	default:
		n.hi = tighter(n.hi, &limit{x, key != "maximum"}, -1)
	}
	return nil
}

// read takes a bound of a count: keywords with min set the lower one.
func (s *span) read(v *value, key string, arg *value) error {
	x, err := new(big.Rat), error(nil)
	if arg.kind == jsonNumber {
		x, err = parseNumber(arg.text)
	}
	if arg.kind != jsonNumber || err != nil || !x.IsInt() || x.Sign() < 0 {
		return fail(v, key, "expected a whole number from 0 on")
	}
	n := math.MaxInt32
	if x.Num().IsInt64() {
		n = int(min(x.Num().Int64(), math.MaxInt32))
	}
	if n > maxInsts/2 {
		return fail(v, key, "%s cannot be counted to; use at most %d, or remove it", clipped(arg.text), maxInsts/2)
	}
	if strings.HasPrefix(key, "min") {
		s.min = n
	} else {
		s.max = n
	}
	return nil
}

func (s *schema) readText(v *value, key string, arg *value) error {
	if arg.kind != jsonString {
		return fail(v, key, "expected a string")
	}
	var d *dfa
	var err error
	if key == "pattern" {
		if d, err = pattern(arg.text); err != nil {
			return fail(v, key, "%v", err)
		}
	} else if d, err = formatOf(arg.text); err != nil {
		return fail(v, key, "%v", err)
	}
	one := &stringSet{length: span{0, -1}, dfa: d}
	joined, err := s.str.intersect(one)
	if err != nil {
		return fail(v, key, "%v", err)
	}
	s.str.dfa = joined.dfa
	return nil
}

// readNames reads a list of distinct strings.
func readNames(v *value, key string, arg *value) (names []string, err error) {
	if arg.kind != jsonArray {
		return nil, fail(v, key, "expected a list of property names")
	}
	for _, item := range arg.items {
		if item.kind != jsonString || slices.Contains(names, item.text) {
			return nil, fail(v, key, "expected property names, each once")
		}
		names = append(names, item.text)
	}
	return names, nil
}
