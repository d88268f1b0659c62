package chat

import (
	"math"
	"math/big"
	"strings"
)

// dict is a dictionary in the order of insertion.
type dict struct {
	keys, vals []value
	index      map[any]int // place of a key's hash; nil while the dictionary is small
}

// view is the items, keys or values of a dictionary.
type view struct {
	d    *dict
	what string
}

// smallDict is the size up to which keys are looked for one by one.
const smallDict = 8

// hash returns what equal keys have in common, comparable in Go.
func hash(key value) any {
	switch k := key.(type) {
	case *str:
		return k.s
	case bool:
		if k {
			return int64(1)
		}
		return int64(0)
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<62 {
			return int64(k)
		}
		return k
	case *big.Int:
		return "int\x00" + k.String()
	case *tuple:
		return hashTuple(k)
	case *list, *dict:
		fail(Runtime, "unhashable type: '%s'", typeName(key))
	case *undefined:
		k.use()
	}
	return key
}

func hashTuple(t *tuple) any {
	var b strings.Builder
	for _, item := range t.items {
		if _, nested := item.(*tuple); nested {
			fail(Runtime, "a tuple of tuples as a key is not supported")
		}
		switch h := hash(item).(type) {
		case string:
			b.WriteString(formatInt(int64(len(h))) + h)
		case int64:
			b.WriteString("i" + formatInt(h))
		case float64:
			b.WriteString("f" + formatFloat(h))
		case none:
		default:
			fail(Runtime, "a tuple with a %s as a key is not supported", typeName(item))
		}
		b.WriteString("\x00")
	}
	return "tuple\x00" + b.String()
}

// find returns the place of a key, -1 if there is none.
func (d *dict) find(key value) int {
	if s, ok := key.(*str); ok {
		return d.findText(s.s)
	}
	return d.findHash(hash(key))
}

func (d *dict) findText(s string) int {
	if d.index != nil {
		return d.findHash(s)
	}
	for i, k := range d.keys {
		if k, ok := k.(*str); ok && k.s == s {
			return i
		}
	}
	return -1
}

func (d *dict) findHash(h any) int {
	if d.index != nil {
		if i, ok := d.index[h]; ok {
			return i
		}
		return -1
	}
	for i, k := range d.keys {
		if hash(k) == h {
			return i
		}
	}
	return -1
}

// get returns the value of a key.
func (d *dict) get(key value) (value, bool) {
	if i := d.find(key); i >= 0 {
		return d.vals[i], true
	}
	return nil, false
}

// attr returns the value of a string key.
func (d *dict) attr(name string) (value, bool) {
	if i := d.findText(name); i >= 0 {
		return d.vals[i], true
	}
	return nil, false
}

// set sets the value of a key, which keeps its place if it was there.
func (d *dict) set(key, v value) {
	if i := d.find(key); i >= 0 {
		d.vals[i] = v
		return
	}
	h := hash(key)
	d.keys, d.vals = append(d.keys, key), append(d.vals, v)
	switch {
	case d.index != nil:
		d.index[h] = len(d.keys) - 1
	case len(d.keys) > smallDict:
		d.index = make(map[any]int, 2*len(d.keys))
		for i, k := range d.keys {
			d.index[hash(k)] = i
		}
	}
}

// items returns what a view goes through.
func (v *view) items() []value {
	switch v.what {
	case "keys":
		return v.d.keys
	case "values":
		return v.d.vals
	}
	items := make([]value, len(v.d.keys))
	for i, k := range v.d.keys {
		items[i] = &tuple{items: []value{k, v.d.vals[i]}}
	}
	return items
}
