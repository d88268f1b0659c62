package constrain

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// value is a JSON value that remembers the order of its keys and where it stands.
type value struct {
	kind    jsonKind
	is      bool   // of a boolean
	text    string // of a string or a number
	items   []*value
	keys    []string // of an object, one for each item
	pointer string   // JSON pointer with #
}

// jsonKind is a kind of JSON value.
type jsonKind uint8

const (
	jsonNull jsonKind = iota
	jsonBoolean
	jsonNumber
	jsonString
	jsonArray
	jsonObject
)

// member returns a member of an object, nil if there is none.
func (v *value) member(key string) *value {
	for i, k := range v.keys {
		if k == key {
			return v.items[i]
		}
	}
	return nil
}

// equal reports whether two values are the same to JSON Schema.
func (v *value) equal(o *value) bool {
	if v.kind != o.kind || len(v.items) != len(o.items) {
		return false
	}
	switch v.kind {
	case jsonBoolean:
		return v.is == o.is
	case jsonNumber:
		a, err := parseNumber(v.text)
		b, err2 := parseNumber(o.text)
		return err == nil && err2 == nil && a.Cmp(b) == 0
	case jsonString:
		return v.text == o.text
	case jsonObject:
		for i, k := range v.keys {
			if m := o.member(k); m == nil || !v.items[i].equal(m) {
				return false
			}
		}
		return true
	}
	for i := range v.items {
		if !v.items[i].equal(o.items[i]) {
			return false
		}
	}
	return true
}

// parseJSON reads one value. A key that comes twice is an error, as is nesting beyond the bound.
func parseJSON(src []byte) (*value, error) {
	if !utf8.Valid(src) {
		return nil, errors.New("not UTF-8; store it as UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	v, err := readValue(d, "#", 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one JSON value; give one")
	}
	return v, nil
}

func readValue(d *json.Decoder, at string, depth int) (*value, error) {
	if depth > MaxSchemaDepth {
		return nil, fmt.Errorf("%s: nested more than %d deep; move parts to $defs", clipped(at), MaxSchemaDepth)
	}
	token, err := d.Token()
	if err != nil {
		return nil, fmt.Errorf("not JSON: %w", err)
	}
	v := &value{pointer: at}
	switch t := token.(type) {
	case bool:
		v.kind, v.is = jsonBoolean, t
	case string:
		v.kind, v.text = jsonString, t
	case json.Number:
		v.kind, v.text = jsonNumber, string(t)
	case json.Delim:
		v.kind = jsonArray
		if t == '{' {
			v.kind = jsonObject
		}
		return v, readItems(d, v, depth+1)
	}
	return v, nil
}

// readItems reads what is in an array or object.
func readItems(d *json.Decoder, v *value, depth int) error {
	seen := map[string]bool{}
	for d.More() {
		name := strconv.Itoa(len(v.items))
		if v.kind == jsonObject {
			token, err := d.Token()
			if err != nil {
				return fmt.Errorf("not JSON: %w", err)
			}
			name = token.(string)
			if seen[name] {
				return fmt.Errorf("%s: key %q comes twice; remove one", v.pointer, clipped(name))
			}
			seen[name] = true
			v.keys = append(v.keys, name)
		}
		item, err := readValue(d, pointerTo(v.pointer, name), depth)
		if err != nil {
			return err
		}
		v.items = append(v.items, item)
	}
	_, err := d.Token()
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return nil
}

// pointerTo appends a reference token to a JSON pointer.
func pointerTo(at, name string) string {
	return at + "/" + strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// jsonRules are the rules of JSON that every schema shares.
type jsonRules struct {
	space, char, text, number, integer, any int
}

// newJSONRules defines the rules of JSON.
func newJSONRules(b *builder) *jsonRules {
	r := &jsonRules{}
	r.space = b.rule("white space", seq(opt(lit("\n")), repeat(bytesOf(' ', ' ', '\t', '\t'), 0, 20)))
	hex := bytesOf('0', '9', 'a', 'f', 'A', 'F')
	ef := bytesOf('0', '9', 'a', 'c', 'A', 'C', 'e', 'f', 'E', 'F')
	d := bytesOf('d', 'd', 'D', 'D')
	high := seq(d, bytesOf('8', '9', 'a', 'b', 'A', 'B'), hex, hex)
	low := seq(d, bytesOf('c', 'f', 'C', 'F'), hex, hex)
	unicode := seq(lit("u"), alt(seq(ef, hex, hex, hex), seq(d, bytesOf('0', '7'), hex, hex), seq(high, lit(`\u`), low)))
	short := bytesOf('"', '"', '\\', '\\', '/', '/', 'b', 'b', 'f', 'f', 'n', 'n', 'r', 'r', 't', 't')
	plain := charClass([]runeRange{{' ', '!'}, {'#', '['}, {']', anyRune.hi}})
	r.char = b.rule("character", alt(plain, seq(lit(`\`), alt(short, unicode))))
	b.char = r.char
	r.text = b.rule("string", seq(lit(`"`), repeat(call(r.char), 0, -1), lit(`"`)))
	digit := bytesOf('0', '9')
	whole := seq(opt(lit("-")), alt(lit("0"), seq(bytesOf('1', '9'), repeat(digit, 0, wholeDigits-1))))
	fraction := opt(seq(lit("."), repeat(digit, 1, fractionDigits)))
	exponent := opt(seq(bytesOf('e', 'e', 'E', 'E'), opt(bytesOf('+', '+', '-', '-')), repeat(digit, 1, 2)))
	r.integer = b.rule("integer", whole)
	r.number = b.rule("number", seq(whole, fraction, exponent))
	r.any = b.define("value")
	comma := seq(call(r.space), lit(","), call(r.space))
	member := seq(call(r.text), call(r.space), lit(":"), call(r.space), call(r.any))
	b.body(r.any, alt(call(r.text), call(r.number), lit("true"), lit("false"), lit("null"),
		r.bracket(b, "{", call(b.rule("", member)), comma, "}"), r.bracket(b, "[", call(r.any), comma, "]")))
	return r
}

// bracket is a list of any length between brackets.
func (r *jsonRules) bracket(b *builder, open string, e, comma *expr, closing string) *expr {
	more := b.rule("", seq(comma, e))
	return seq(lit(open), call(r.space), opt(seq(e, repeat(call(more), 0, -1), call(r.space))), lit(closing))
}

// escapes are the characters that JSON strings escape by a letter.
var escapes = map[rune]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

// quotedRune is a character within a JSON string, escaped if it has to be.
func quotedRune(r rune) string {
	if e, ok := escapes[r]; ok {
		return `\` + string(rune(e))
	}
	if r < ' ' {
		return fmt.Sprintf(`\u%04x`, r)
	}
	return string(r)
}

// quote is a text as a JSON string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		b.WriteString(quotedRune(r))
	}
	b.WriteByte('"')
	return b.String()
}

// quotedClass is one character of a set within a JSON string.
func quotedClass(ranges []runeRange) *expr {
	var plain []runeRange
	var alts []*expr
	for _, r := range ranges {
		for c := r.lo; c <= min(r.hi, '\\'); c++ {
			if c < ' ' || c == '"' || c == '\\' {
				alts = append(alts, lit(quotedRune(c)))
			}
		}
		for _, p := range []runeRange{{' ', '!'}, {'#', '['}, {']', anyRune.hi}} {
			plain = append(plain, clip([]runeRange{r}, p.lo, p.hi, 0)...)
		}
	}
	if len(plain) > 0 {
		alts = append([]*expr{charClass(plain)}, alts...)
	}
	return alt(alts...)
}
