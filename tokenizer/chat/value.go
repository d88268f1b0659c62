package chat

import (
	"math/big"
	"unicode"
)

// A value is one of
//
//	nil                            no value, such as an argument that was not given
//	none, bool, float64            as in Python
//	int64, *big.Int                integers, the latter only beyond int64
//	*str, *list, *tuple, *dict     as in Python
//	*span                          what range returns
//	*view                          the items, keys or values of a dictionary
//	*generator                     a sequence that can be gone through once
//	*undefined, *namespace, *loop, *macro, *method, *builtin, *cycler, *joiner, *self
type value any

type none struct{}

// undefined stands for something that is not there.
type undefined struct {
	message string // of the error that its use is
	kind    Kind   // of that error
}

type list struct{ items []value }

type tuple struct {
	items []value
	group bool // the attributes grouper and list are the items
}

// span is the range of n integers from first in steps.
type span struct{ first, stop, step, n int64 }

// namespace is an object with attributes that can be set.
type namespace struct{ attrs *dict }

// method is a method of an object.
type method struct {
	of value
	f  *builtin
}

func missing(name string) *undefined { return &undefined{"'" + name + "' is undefined", Undefined} }

// use fails because the value is not there.
func (u *undefined) use() { fail(u.kind, "%s", u.message) }

// truth is Python's bool().
func truth(v value) bool {
	switch v := v.(type) {
	case nil, none, *undefined:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case *str:
		return v.s != ""
	case *list:
		return len(v.items) > 0
	case *tuple:
		return len(v.items) > 0
	case *dict:
		return len(v.keys) > 0
	case *view:
		return len(v.d.keys) > 0
	case *span:
		return v.n > 0
	}
	return true
}

// typeName is the name of a value's type in Python.
func typeName(v value) string {
	switch v.(type) {
	case none:
		return "NoneType"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case *str:
		return "str"
	case *list:
		return "list"
	case *tuple:
		return "tuple"
	case *dict:
		return "dict"
	case *span:
		return "range"
	case *generator:
		return "generator"
	case *undefined:
		return "Undefined"
	case *namespace:
		return "Namespace"
	case *loop:
		return "LoopContext"
	case *macro:
		return "Macro"
	case *view:
		return "dict view"
	}
	return "function"
}

func isFloat(v value) bool {
	_, ok := v.(float64)
	return ok
}

// length is Python's len(); ok is false for what has none.
func (m *machine) length(v value) (n int, ok bool) {
	switch v := v.(type) {
	case *str:
		return v.length(), true
	case *list:
		return len(v.items), true
	case *tuple:
		return len(v.items), true
	case *dict:
		return len(v.keys), true
	case *view:
		return len(v.d.keys), true
	case *span:
		return int(v.n), true
	case *undefined:
		return 0, true
	case *loop:
		return v.length(m), true
	}
	return 0, false
}

// isSpace reports what Python's str.isspace does.
func isSpace(r rune) bool {
	return r >= 0x1c && r <= 0x1f || unicode.IsSpace(r)
}

// isWord reports what \w matches in Python.
func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }
