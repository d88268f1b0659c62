package subnet

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// globals are the names that a pickle may use.
var globals = []global{
	"numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct",
	"numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar",
	"numpy.core.numeric._frombuffer", "numpy._core.numeric._frombuffer",
	"numpy.ndarray", "numpy.dtype", "_codecs.encode",
}

// container executes opcodes that build tuples, lists and dictionaries.
func (m *machine) container(op byte) (known bool, err error) {
	var items []any
	switch op {
	case opEmptyTuple:
		return true, m.push(&tuple{}, nil)
	case opEmptyList:
		return true, m.push(&list{}, nil)
	case opEmptyDict:
		return true, m.push(&dict{}, nil)
	case opTuple, opAppends, opSetItems:
		items, err = m.popMark()
	case opTuple1, opTuple2, opTuple3:
		items, err = m.pop(int(op) - opTuple1 + 1)
	case opAppend:
		items, err = m.pop(1)
	case opSetItem:
		items, err = m.pop(2)
	default:
		return false, nil
	}
	if err != nil {
		return true, err
	}
	switch op {
	case opAppend, opAppends:
		return true, m.extend(items)
	case opSetItem, opSetItems:
		return true, m.set(items)
	}
	return true, m.push(&tuple{slices.Clone(items)}, nil)
}

// extend appends to the list on the stack.
func (m *machine) extend(items []any) error {
	top, err := m.pop(1)
	if err != nil {
		return err
	}
	l, ok := top[0].(*list)
	if !ok {
		return fmt.Errorf("found %T, expected a list to append to", top[0])
	}
	// The items lie on the stack behind the list, which is popped but not overwritten yet.
	l.items = append(l.items, items...)
	return m.push(l, nil)
}

// set adds pairs of keys and values to the dictionary on the stack.
func (m *machine) set(items []any) error {
	top, err := m.pop(1)
	if err != nil {
		return err
	}
	d, ok := top[0].(*dict)
	if !ok || len(items)%2 != 0 {
		return fmt.Errorf("found %T and %d keys and values, expected a dictionary and pairs", top[0], len(items))
	}
	for i := 0; i < len(items); i += 2 {
		d.keys, d.values = append(d.keys, items[i]), append(d.values, items[i+1])
	}
	return m.push(d, nil)
}

// object executes opcodes that name or build something of numpy's.
func (m *machine) object(op byte) (known bool, err error) {
	switch op {
	case opGlobal:
		module, err := m.line()
		name, err2 := m.line()
		return true, m.name(module, name, errors.Join(err, err2))
	case opStackGlobal:
		top, err := m.pop(2)
		if err != nil {
			return true, err
		}
		module, ok1 := top[0].(string)
		name, ok2 := top[1].(string)
		if !ok1 || !ok2 {
			err = fmt.Errorf("found a name of %T and %T, expected texts", top[0], top[1])
		}
		return true, m.name(module, name, err)
	case opReduce:
		top, err := m.pop(2)
		if err != nil {
			return true, err
		}
		f, ok1 := top[0].(global)
		args, ok2 := top[1].(*tuple)
		if !ok1 || !ok2 {
			return true, fmt.Errorf("REDUCE: found %T of %T, expected a name of numpy's of a tuple", top[0], top[1])
		}
		v, err := reduce(f, args.items)
		if err != nil {
			err = fmt.Errorf("%s: %w", f, err)
		}
		return true, m.push(v, err)
	case opBuild:
		top, err := m.pop(2)
		if err != nil {
			return true, err
		}
		of := top[0]
		return true, m.push(of, build(of, top[1]))
	}
	return false, nil
}

// line reads the rest of a line, without its end.
func (m *machine) line() (string, error) {
	const longest = 256
	rest := m.data[m.pos:min(m.pos+longest, len(m.data))]
	n := bytes.IndexByte(rest, '\n')
	if n < 0 {
		return "", errors.New("found no end of a name")
	}
	b, err := m.take(n + 1)
	return strings.TrimSuffix(string(b), "\n"), err
}

// name pushes one of the names that are allowed.
func (m *machine) name(module, name string, err error) error {
	g := global(module + "." + name)
	if err == nil && !slices.Contains(globals, g) {
		err = fmt.Errorf("name %.80q: not among those that arrays need; the file may run code elsewhere and is not read", string(g))
	}
	return m.push(g, err)
}

// reduce is the value of one of the allowed functions.
func reduce(f global, args []any) (any, error) {
	if f == "numpy.dtype" {
		if len(args) < 1 {
			return nil, errors.New("found no argument")
		}
		s, _ := text(args[0])
		return parseDtype(s)
	}
	switch f[strings.LastIndexByte(string(f), '.')+1:] {
	case "_reconstruct":
		if len(args) != 3 || args[0] != global("numpy.ndarray") {
			return nil, errors.New("found other arguments, expected numpy.ndarray, a shape and a type")
		}
		return new(array), nil
	case "scalar":
		return scalar(args)
	case "_frombuffer":
		if len(args) != 4 {
			return nil, fmt.Errorf("found %d arguments, expected 4", len(args))
		}
		d, ok1 := args[1].(*dtype)
		data, ok2 := octets(args[0])
		shape, err := shapeOf(args[2])
		if !ok1 || !ok2 || err != nil || d.kind == 'O' {
			return nil, errors.Join(errors.New("expected bytes, a type, a shape and an order"), err)
		}
		order, _ := text(args[3])
		a := new(array)
		return a, a.fill(shape, d, order != "C", data, nil)
	case "encode":
		if len(args) == 2 {
			s, ok1 := text(args[0])
			code, ok2 := text(args[1])
			if ok1 && ok2 && (code == "latin1" || code == "latin-1") {
				return latin1(s)
			}
		}
		return nil, errors.New("found other arguments, expected a text and latin1")
	}
	return nil, errors.New("not a function")
}

// scalar decodes a number of numpy's.
func scalar(args []any) (any, error) {
	if len(args) == 2 {
		d, ok1 := args[0].(*dtype)
		b, ok2 := octets(args[1])
		if ok1 && ok2 && d.kind != 'O' && len(b) == d.size {
			return d.number(b), nil
		}
	}
	return nil, errors.New("found other arguments, expected a type of numbers and its bytes")
}

// build gives an array or a type its state.
func build(of, state any) error {
	var s []any
	if t, ok := state.(*tuple); ok {
		s = t.items
	}
	switch of := of.(type) {
	case *array:
		if len(s) != 5 {
			return fmt.Errorf("array: found a state of %d, expected 5", len(s))
		}
		shape, err := shapeOf(s[1])
		d, ok := s[2].(*dtype)
		fortran, _ := s[3].(bool)
		if err != nil || !ok {
			return errors.Join(fmt.Errorf("array: found a type of %T, expected a dtype", s[2]), err)
		}
		if l, ok := s[4].(*list); ok && d.kind == 'O' {
			return of.fill(shape, d, fortran, nil, l.items)
		}
		data, ok := octets(s[4])
		if !ok || d.kind == 'O' {
			return fmt.Errorf("array: found contents of %T, expected bytes, or a list of objects", s[4])
		}
		return of.fill(shape, d, fortran, data, nil)
	case *dtype:
		if len(s) < 5 || s[2] != nil || s[3] != nil || s[4] != nil {
			return errors.New("dtype: found fields or a state that is too short, expected a plain number")
		}
		if order, ok := text(s[1]); ok && len(order) == 1 && strings.Contains("<>|=", order) {
			of.order = order[0]
			return nil
		}
		return fmt.Errorf("dtype: byte order %.20v: expected <, >, | or =", s[1])
	}
	return fmt.Errorf("BUILD: found %T, expected an array or a dtype", of)
}

// shapeOf reads a tuple of sizes.
func shapeOf(v any) ([]int, error) {
	t, ok := v.(*tuple)
	if !ok {
		return nil, fmt.Errorf("found a shape of %T, expected a tuple", v)
	}
	shape := []int{}
	for _, v := range t.items {
		n, ok := v.(int64)
		if !ok || n < 0 || int64(int(n)) != n {
			return nil, fmt.Errorf("found %.40v in a shape, expected a size", v)
		}
		shape = append(shape, int(n))
	}
	return shape, nil
}

// text returns a text, which old writers store as bytes.
func text(v any) (string, bool) {
	if b, ok := v.([]byte); ok {
		return string(b), true
	}
	s, ok := v.(string)
	return s, ok
}

// octets returns bytes, which old writers store as a text.
func octets(v any) ([]byte, bool) {
	if s, ok := v.(string); ok {
		return []byte(s), true
	}
	b, ok := v.([]byte)
	return b, ok
}

// latin1 returns the bytes that a text's characters are.
func latin1(s string) ([]byte, error) {
	b := make([]byte, 0, len(s))
	for _, r := range s {
		if r > 255 {
			return nil, fmt.Errorf("found character %q, expected latin1", r)
		}
		b = append(b, byte(r))
	}
	return b, nil
}

// maxNesting bounds how deep values lie in one another.
const maxNesting = 64

// acyclic refuses a value that contains itself or nests too deep. Seen holds whether a container is
// still open.
func acyclic(v any, seen map[any]bool, depth int) error {
	var in []any
	switch v := v.(type) {
	case *tuple:
		in = v.items
	case *list:
		in = v.items
	case *dict:
		in = slices.Concat(v.keys, v.values)
	case *array:
		in = v.objects
	default:
		return nil
	}
	open, known := seen[v]
	if open {
		return errors.New("found a value that contains itself")
	}
	if known {
		return nil
	}
	seen[v] = true
	if depth++; depth > maxNesting {
		return fmt.Errorf("found more than %d levels of nesting", maxNesting)
	}
	for _, x := range in {
		if err := acyclic(x, seen, depth); err != nil {
			return err
		}
	}
	seen[v] = false
	return nil
}
