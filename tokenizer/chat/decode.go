package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"

	"github.com/mminfer/mminfer/tokenizer"
)

// decodeVariables reads a JSON object; no data are an empty one. Its strings are untrusted, except
// for the roles of messages.
func decodeVariables(data []byte) (*dict, error) {
	vars := new(dict)
	if len(data) > 0 {
		d := decoder{json.NewDecoder(bytes.NewReader(data))}
		d.UseNumber()
		v, err := d.value(0)
		if err == nil {
			if _, end := d.Token(); end != io.EOF {
				err = errors.New("there is something after the object")
			}
		}
		var ok bool
		if vars, ok = v.(*dict); err == nil && !ok {
			err = errors.New("it is not an object")
		}
		if err != nil {
			return nil, fmt.Errorf("chat: variables: %w", err)
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

// decoder reads JSON into values.
type decoder struct{ *json.Decoder }

func (d decoder) value(depth int) (value, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case string:
		return outside(t), nil
	case json.Number:
		return decodeNumber(string(t))
	case bool:
		return t, nil
	case json.Delim:
		if t == '[' {
			return d.array(depth)
		}
		return d.object(depth)
	}
	return none{}, nil
}

// outside returns an untrusted string.
func outside(s string) *str {
	if s == "" {
		return text("")
	}
	return &str{s: s, untrusted: []tokenizer.ByteSpan{{Start: 0, End: len(s)}}}
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

func (d decoder) array(depth int) (value, error) {
	l := new(list)
	for d.More() {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		l.items = append(l.items, v)
	}
	_, err := d.Token()
	return l, err
}

func (d decoder) object(depth int) (value, error) {
	o := new(dict)
	for d.More() {
		k, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		o.set(outside(k.(string)), v)
	}
	_, err := d.Token()
	return o, err
}
