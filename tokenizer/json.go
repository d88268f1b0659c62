package tokenizer

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxNesting bounds the depth of arrays and objects.
const maxNesting = 16

// A value is a JSON value inside a document that [checkJSON] has accepted: nothing is decoded
// before it is asked for. Its errors name its place.
type value struct {
	text []byte // begins with the value's first byte; the end of the value is implied by the syntax
	path string
}

// errorf returns an error about the value.
func (v value) errorf(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if v.path != "" {
		text = v.path + ": " + text
	}
	return errors.New(text)
}

// kind names the type of the value.
func (v value) kind() string {
	switch v.text[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "a number"
}

// null reports whether the value is null.
func (v value) null() bool { return v.text[0] == 'n' }

// want checks the kind of the value.
func (v value) want(kind string) error {
	if k := v.kind(); k != kind {
		return v.errorf("found %s, expected %s", k, kind)
	}
	return nil
}

// entries calls fn for each member of an object, in order. The path of a value passed to fn is
// the object's.
func (v value) entries(fn func(key string, val value) error) error {
	if err := v.want("an object"); err != nil {
		return err
	}
	for i := skipSpace(v.text, 1); v.text[i] != '}'; {
		key, n := unquote(v.text[i:])
		i = skipSpace(v.text, skipSpace(v.text, i+n)+1)
		if err := fn(key, value{v.text[i:], v.path}); err != nil {
			return err
		}
		i = skipComma(v.text, i+skipValue(v.text[i:]))
	}
	return nil
}

// items calls fn for each element of an array, in order. The path of a value passed to fn is the
// array's.
func (v value) items(fn func(i int, val value) error) error {
	if err := v.want("an array"); err != nil {
		return err
	}
	for i, n := skipSpace(v.text, 1), 0; v.text[i] != ']'; n++ {
		if err := fn(n, value{v.text[i:], v.path}); err != nil {
			return err
		}
		i = skipComma(v.text, i+skipValue(v.text[i:]))
	}
	return nil
}

// size returns the number of members of an object.
func (v value) size() (n int) {
	for i := skipSpace(v.text, 1); v.text[i] != '}'; n++ {
		i = skipSpace(v.text, i+skipString(v.text[i:]))
		i = skipSpace(v.text, i+1)
		i = skipComma(v.text, i+skipValue(v.text[i:]))
	}
	return n
}

// at returns the value with its index added to its path.
func (v value) at(i int) value {
	v.path += "[" + strconv.Itoa(i) + "]"
	return v
}

// An object is a JSON object whose keys are known and occur once.
type object struct {
	value
	keys   []string // in the order of the document
	fields map[string]value
}

// members reads an object whose keys occur once.
func (v value) members() (object, error) {
	o := object{value: v, fields: make(map[string]value)}
	err := v.entries(func(key string, val value) error {
		val.path = v.path + "." + key
		if v.path == "" {
			val.path = key
		}
		if _, ok := o.fields[key]; ok {
			return val.errorf("duplicate field")
		}
		o.keys = append(o.keys, key)
		o.fields[key] = val
		return nil
	})
	return o, err
}

// known checks that every key is one of the list.
func (o object) known(list []string) error {
	for _, key := range o.keys {
		if !slices.Contains(list, key) {
			return o.fields[key].errorf("unknown field; supported here: %s", strings.Join(list, ", "))
		}
	}
	return nil
}

// object reads an object of the given fields.
func (v value) object(fields ...string) (object, error) {
	o, err := v.members()
	if err == nil {
		err = o.known(fields)
	}
	return o, err
}

// component reads an object whose field "type" names one of the given kinds, each with its other
// fields.
func (v value) component(kinds map[string][]string) (object, string, error) {
	o, err := v.members()
	if err != nil {
		return o, "", err
	}
	kind := ""
	if t, ok := o.fields["type"]; ok {
		if kind, err = t.str(); err != nil {
			return o, "", err
		}
	}
	fields, ok := kinds[kind]
	if !ok {
		return o, "", v.errorf("type %q is not supported; supported here: %s", kind,
			strings.Join(slices.Sorted(maps.Keys(kinds)), ", "))
	}
	return o, kind, o.known(append(slices.Clip(fields), "type"))
}

// get returns a field, which must be present.
func (o object) get(key string) (value, error) {
	v, ok := o.fields[key]
	if !ok {
		return v, o.errorf("missing field %q", key)
	}
	return v, nil
}

// has reports whether a field is present and not null.
func (o object) has(key string) bool {
	v, ok := o.fields[key]
	return ok && !v.null()
}

// str returns a string field.
func (o object) str(key string) (string, error) {
	v, err := o.get(key)
	if err != nil {
		return "", err
	}
	return v.str()
}

// flag returns a boolean field.
func (o object) flag(key string) (bool, error) {
	v, err := o.get(key)
	if err != nil {
		return false, err
	}
	return v.text[0] == 't', v.want("a boolean")
}

// flags reads the named boolean fields into dst, in order.
func (o object) flags(keys []string, dst ...*bool) (err error) {
	for i, key := range keys {
		if *dst[i], err = o.flag(key); err != nil {
			return err
		}
	}
	return nil
}

// str returns a string.
func (v value) str() (string, error) {
	if err := v.want("a string"); err != nil {
		return "", err
	}
	s, _ := unquote(v.text)
	return s, nil
}

// integer returns an integer from 0 to limit-1.
func (v value) integer(limit int) (int32, error) {
	if err := v.want("a number"); err != nil {
		return 0, err
	}
	digits := string(v.text[:skipValue(v.text)])
	n, err := strconv.ParseUint(digits, 10, 31)
	if err != nil || n >= uint64(limit) {
		return 0, v.errorf("%s: expected an integer from 0 to %d", digits, limit-1)
	}
	return int32(n), nil
}

// float returns a number.
func (v value) float() (float64, error) {
	if err := v.want("a number"); err != nil {
		return 0, err
	}
	digits := string(v.text[:skipValue(v.text)])
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, v.errorf("%s: expected a number of double precision", digits)
	}
	return x, nil
}

// skipSpace returns the index of the first byte of s from i that is no white space.
func skipSpace(s []byte, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r') {
		i++
	}
	return i
}

// skipComma skips white space, and a comma with the white space after it.
func skipComma(s []byte, i int) int {
	if i = skipSpace(s, i); s[i] == ',' {
		return skipSpace(s, i+1)
	}
	return i
}

// skipValue returns the length of the value at s[0], which is known to be well formed.
func skipValue(s []byte) int {
	for i, depth := 0, 0; ; {
		switch s[i] {
		case '"':
			i += skipString(s[i:])
		case '{', '[':
			depth++
			i++
			continue
		case '}', ']':
			depth--
			i++
		case ' ', '\n', '\t', '\r', ',', ':':
			i++
			continue
		default:
			for i < len(s) && s[i] > ' ' && s[i] != ',' && s[i] != ']' && s[i] != '}' {
				i++
			}
		}
		if depth == 0 {
			return i
		}
	}
}

// skipString returns the length of the string literal at s[0], which is known to be well formed.
func skipString(s []byte) int {
	for i := 1; ; i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
}

// unquote decodes the string literal at s[0], which is known to be well formed, and returns its
// length.
func unquote(s []byte) (string, int) {
	n := skipString(s)
	s = s[1 : n-1]
	i := 0
	for i < len(s) && s[i] != '\\' {
		i++
	}
	if i == len(s) {
		return string(s), n
	}
	out := append(make([]byte, 0, len(s)), s[:i]...)
	for i < len(s) {
		if s[i] != '\\' {
			out = append(out, s[i])
			i++
			continue
		}
		r, size := escape(s[i:])
		out = utf8.AppendRune(out, r)
		i += size
	}
	return string(out), n
}

// escape decodes the escape sequence at s[0]; size 0 means that it is none, or half of a
// surrogate pair.
func escape(s []byte) (r rune, size int) {
	const from, to = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	if len(s) < 2 {
		return 0, 0
	}
	if k := strings.IndexByte(from, s[1]); k >= 0 {
		return rune(to[k]), 2
	}
	if r = hex4(s); r < 0 {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if r = utf16.DecodeRune(r, hex4(s[6:])); r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// hex4 returns the number in \uXXXX at s[0], or -1.
func hex4(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
