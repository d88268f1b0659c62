package chat

import (
	"math"
	"math/big"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonWriter writes values as Python's json.dumps does.
type jsonWriter struct {
	m             *machine
	b             *builder
	indent        *str // nil: on one line
	item, key     *str // separators
	ascii, sorted bool
}

// toJSON is the filter of that name.
func toJSON(m *machine, a []value) value {
	w := jsonWriter{m: m, b: m.builder(), item: text(", "), key: text(": ")}
	w.ascii = a[1] != nil && truth(a[1])
	w.sorted = a[4] != nil && truth(a[4])
	switch in := optional(a[2], none{}).(type) {
	case none:
	case *str:
		w.indent, w.item = in, text(",")
	default:
		w.indent, w.item = m.repeat(text(" "), index(in)), text(",")
	}
	if s := optional(a[3], none{}); s != (none{}) {
		both := m.unpack(s, 2)
		w.item, w.key = textArg(both[0]), textArg(both[1])
	}
	w.value(a[0], 0)
	return w.b.str()
}

func (w *jsonWriter) value(v value, depth int) {
	w.m.step()
	w.m.enter()
	defer w.m.leave()
	switch v := v.(type) {
	case *str:
		w.b.like(w.quote(v.s), v)
	case none, bool, int64, *big.Int, float64:
		w.b.text(jsonScalar(v))
	case *list:
		w.array(v.items, depth)
	case *tuple:
		w.array(v.items, depth)
	case *dict:
		w.object(v, depth)
	default:
		fail(Runtime, "Object of type %s is not JSON serializable", typeName(v))
	}
}

func jsonScalar(v value) string {
	switch v := v.(type) {
	case none:
		return "null"
	case bool:
		if v {
			return "true"
		}
		return "false"
	case int64:
		return formatInt(v)
	case *big.Int:
		return formatBig(v)
	case float64:
		switch {
		case math.IsInf(v, 1):
			return "Infinity"
		case math.IsInf(v, -1):
			return "-Infinity"
		case math.IsNaN(v):
			return "NaN"
		}
		return formatFloat(v)
	}
	return ""
}

// line begins a new line if there is an indentation.
func (w *jsonWriter) line(depth int) {
	if w.indent == nil {
		return
	}
	w.b.text("\n")
	for range depth {
		w.b.add(w.indent)
	}
}

func (w *jsonWriter) array(items []value, depth int) {
	if len(items) == 0 {
		w.b.text("[]")
		return
	}
	w.b.text("[")
	for i, item := range items {
		if i > 0 {
			w.b.add(w.item)
		}
		w.line(depth + 1)
		w.value(item, depth+1)
	}
	w.line(depth)
	w.b.text("]")
}

func (w *jsonWriter) object(d *dict, depth int) {
	if len(d.keys) == 0 {
		w.b.text("{}")
		return
	}
	w.b.text("{")
	for i, at := range w.order(d) {
		if i > 0 {
			w.b.add(w.item)
		}
		w.line(depth + 1)
		switch k := d.keys[at].(type) {
		case *str:
			w.b.like(w.quote(k.s), k)
		case none, bool, int64, *big.Int, float64:
			w.b.text(`"` + jsonScalar(k) + `"`)
		default:
			fail(Runtime, "keys must be str, int, float, bool or None, not %s", typeName(k))
		}
		w.b.add(w.key)
		w.value(d.vals[at], depth+1)
	}
	w.line(depth)
	w.b.text("}")
}

// order returns the places of a dictionary's keys in the order of writing.
func (w *jsonWriter) order(d *dict) []int {
	w.m.grow(8 * len(d.keys))
	order := make([]int, len(d.keys))
	for i := range order {
		order[i] = i
	}
	if w.sorted {
		slices.SortStableFunc(order, func(i, j int) int { return w.m.sortOrder(d.keys[i], d.keys[j]) })
	}
	return order
}

const hexDigits = "0123456789abcdef"

// quote writes a string.
func (w *jsonWriter) quote(s string) string {
	b := append(make([]byte, 0, len(s)+2), '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if w.ascii && c == 0x7f {
				b = appendJSONEscape(b, rune(c))
			} else {
				b = appendJSONByte(b, c)
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		if !w.ascii {
			b = append(b, s[i:i+size]...)
		} else if r > 0xffff {
			high, low := utf16.EncodeRune(r)
			b = appendJSONEscape(appendJSONEscape(b, high), low)
		} else {
			b = appendJSONEscape(b, r)
		}
		i += size
	}
	return string(append(b, '"'))
}

func appendJSONByte(b []byte, c byte) []byte {
	const short = "\"\"\\\\\nn\rr\tt\bb\ff"
	if at := strings.IndexByte(short, c); at >= 0 && at%2 == 0 {
		return append(b, '\\', short[at+1])
	}
	if c < ' ' {
		return appendJSONEscape(b, rune(c))
	}
	return append(b, c)
}

func appendJSONEscape(b []byte, r rune) []byte {
	return append(b, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
}
