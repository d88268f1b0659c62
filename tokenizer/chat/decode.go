package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decodeVariables reads a JSON object; no data are an empty one. Its strings are untrusted, except
// for the roles of messages.
func decodeVariables(data []byte) (*dict, error) {
	vars := new(dict)
	if len(data) > 0 {
		if !json.Valid(data) {
			var v any
			return nil, fmt.Errorf("chat: variables: %w", json.Unmarshal(data, &v))
		}
		d := decoder{data: data}
		v, err := d.value(0)
		if err != nil {
			return nil, fmt.Errorf("chat: variables: %w", err)
		}
		var ok bool
		if vars, ok = v.(*dict); !ok {
			return nil, errors.New("chat: variables: expected a JSON object")
		}
	}
	for _, name := range []string{"tools", "documents"} {
		if _, ok := vars.attr(name); !ok {
			vars.set(text(name), none{})
		}
	}
	if _, ok := vars.attr("add_generation_prompt"); !ok {
		vars.set(text("add_generation_prompt"), false)
	}
	if messages, ok := vars.attr("messages"); ok {
		trustRoles(messages)
	}
	return vars, nil
}

// trustRoles makes the roles of messages trusted that are plain words.
func trustRoles(messages value) {
	list, ok := messages.(*list)
	if !ok {
		return
	}
	for _, message := range list.items {
		d, ok := message.(*dict)
		if !ok {
			continue
		}
		role, _ := d.attr("role")
		if s, ok := role.(*str); ok && len(s.s) <= 64 && strings.IndexFunc(s.s, func(r rune) bool {
			return r != '-' && r != '_' && (r|0x20 < 'a' || r|0x20 > 'z') && (r < '0' || r > '9')
		}) < 0 {
			d.set(text("role"), text(s.s))
		}
	}
}

// decoder reads valid JSON into values.
type decoder struct {
	data []byte
	at   int
}

// peek moves over white space and returns the byte after it.
func (d *decoder) peek() byte {
	for {
		switch c := d.data[d.at]; c {
		case ' ', '\t', '\n', '\r':
			d.at++
		default:
			return c
		}
	}
}

// skip moves over a byte that follows, after white space, if it is c.
func (d *decoder) skip(c byte) bool {
	if d.peek() != c {
		return false
	}
	d.at++
	return true
}

func (d *decoder) value(depth int) (value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	switch c := d.peek(); c {
	case '"':
		return d.text(), nil
	case '[':
		return d.array(depth)
	case '{':
		return d.object(depth)
	case 't':
		d.at += len("true")
		return true, nil
	case 'f':
		d.at += len("false")
		return false, nil
	case 'n':
		d.at += len("null")
		return none{}, nil
	}
	n := bytes.IndexFunc(d.data[d.at:], func(r rune) bool { return !strings.ContainsRune("+-.eE0123456789", r) })
	if n < 0 {
		n = len(d.data) - d.at
	}
	d.at += n
	return decodeNumber(string(d.data[d.at-n : d.at]))
}

// text reads a string.
func (d *decoder) text() *str {
	from := d.at
	plain := true
	for d.at++; d.data[d.at] != '"'; d.at++ {
		if c := d.data[d.at]; c == '\\' {
			d.at++
			plain = false
		} else if c >= utf8.RuneSelf {
			plain = false
		}
	}
	d.at++
	if plain {
		return outside(string(d.data[from+1 : d.at-1]))
	}
	var s string
	_ = json.Unmarshal(d.data[from:d.at], &s) // it is valid
	return outside(s)
}

// outside returns an untrusted string.
func outside(s string) *str {
	if s == "" {
		return text("")
	}
	return &str{s: s, untrusted: []Span{{Start: 0, End: len(s)}}}
}

func decodeNumber(s string) (value, error) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		return i, nil
	}
	if !strings.ContainsAny(s, ".eE") {
		if len(s) > maxIntDigits {
			return nil, fmt.Errorf("an integer of %d digits", len(s))
		}
		if i, ok := new(big.Int).SetString(s, 10); ok {
			return i, nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if errors.Is(err, strconv.ErrRange) {
		err = nil // infinite, as in Python
	}
	return f, err
}

func (d *decoder) array(depth int) (value, error) {
	l := new(list)
	d.at++
	for first := true; !d.skip(']'); first = false {
		if !first {
			d.skip(',')
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l.items = append(l.items, v)
	}
	return l, nil
}

func (d *decoder) object(depth int) (value, error) {
	o := new(dict)
	d.at++
	for first := true; !d.skip('}'); first = false {
		if !first {
			d.skip(',')
		}
		d.peek()
		k := d.text()
		d.skip(':')
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		o.set(k, v)
	}
	return o, nil
}
