package subnet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// readPickle builds the value of a pickle of protocol 2 to 5 from an allowed set of opcodes and
// names; nothing is imported, called or executed. Values are nil, bool, int64, float64, string,
// []byte, *tuple, *list, *dict and *array. The error names the first opcode or name outside the set.
//
// Source: pickletools.py of CPython 3.13 for the opcodes, multiarray/methods.c and descriptor.c of
// numpy 2.2 for the states of arrays and dtypes.
func readPickle(data []byte) (any, error) {
	m := &machine{data: data, memo: map[uint32]any{}}
	if len(data) < 2 || data[0] != opProto || data[1] < 2 || data[1] > 5 {
		return nil, errors.New("found no protocol 2 to 5")
	}
	m.pos = 2
	for {
		at := m.pos
		op, err := m.next()
		if err == nil && op == opStop {
			return m.result()
		}
		if err == nil {
			err = m.step(op)
		}
		if err != nil {
			return nil, fmt.Errorf("byte %d: %w", at, err)
		}
	}
}

type (
	tuple struct{ items []any }
	list  struct{ items []any }
	dict  struct{ keys, values []any }
	// global is a name of Python's, "module.name".
	global string
	mark   struct{}
)

// machine is the state of reading: a stack and what was remembered of it.
type machine struct {
	data  []byte
	pos   int
	frame int // the end of the frame under way, 0 before the first
	stack []any
	memo  map[uint32]any
}

// The opcodes that are known.
const (
	opProto, opFrame, opMark, opStop = 0x80, 0x95, '(', '.'

	opNone, opTrue, opFalse                      = 'N', 0x88, 0x89
	opInt, opInt1, opInt2, opLong1, opFloat      = 'J', 'K', 'M', 0x8a, 'G'
	opText, opShortText, opText8                 = 'X', 0x8c, 0x8d
	opShortBytes, opBytes, opBytes8, opByteArray = 'C', 'B', 0x8e, 0x96
	opShortString, opString                      = 'U', 'T'

	opEmptyTuple, opTuple, opTuple1, opTuple2, opTuple3 = ')', 't', 0x85, 0x86, 0x87
	opEmptyList, opAppend, opAppends                    = ']', 'a', 'e'
	opEmptyDict, opSetItem, opSetItems                  = '}', 's', 'u'

	opPut, opLongPut, opGet, opLongGet, opMemoize = 'q', 'r', 'h', 'j', 0x94
	opGlobal, opStackGlobal, opReduce, opBuild    = 'c', 0x93, 'R', 'b'
)

// refused names the opcodes that run code or reach out of the file.
var refused = map[byte]string{
	'i': "INST", 'o': "OBJ", 0x81: "NEWOBJ", 0x92: "NEWOBJ_EX", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4",
	'P': "PERSID", 'Q': "BINPERSID", 0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
}

// next reads an opcode.
func (m *machine) next() (byte, error) {
	b, err := m.take(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// take reads n bytes, which may not cross the end of a frame.
func (m *machine) take(n int) ([]byte, error) {
	end := len(m.data)
	if m.pos < m.frame {
		end = m.frame
	}
	if n < 0 || n > end-m.pos {
		return nil, fmt.Errorf("found %d bytes to the end, expected %d", end-m.pos, n)
	}
	b := m.data[m.pos : m.pos+n : m.pos+n]
	m.pos += n
	return b, nil
}

// unsigned reads a little-endian number of n bytes.
func (m *machine) unsigned(n int) (uint64, error) {
	b, err := m.take(n)
	var x [8]byte
	copy(x[:], b)
	return binary.LittleEndian.Uint64(x[:]), err
}

// sized reads a length of n bytes and so many bytes.
func (m *machine) sized(n int) ([]byte, error) {
	size, err := m.unsigned(n)
	if err != nil {
		return nil, err
	}
	return m.take(int(min(size, math.MaxInt32)))
}

// result is the only value on the stack at the end.
func (m *machine) result() (any, error) {
	if m.pos != len(m.data) || len(m.stack) != 1 {
		return nil, fmt.Errorf("found %d values and %d bytes after the end, expected one and none", len(m.stack), len(m.data)-m.pos)
	}
	return m.stack[0], acyclic(m.stack[0], map[any]bool{}, 0)
}

func (m *machine) push(v any, err error) error {
	m.stack = append(m.stack, v)
	return err
}

// pop takes n values off the stack, none of them a mark.
func (m *machine) pop(n int) ([]any, error) {
	from := len(m.stack) - n
	if from < 0 {
		return nil, fmt.Errorf("found a stack of %d, expected %d values", len(m.stack), n)
	}
	top := m.stack[from:]
	for _, v := range top {
		if _, ok := v.(mark); ok {
			return nil, errors.New("found a mark, expected a value")
		}
	}
	m.stack = m.stack[:from]
	return top, nil
}

// popMark takes the values above the topmost mark off the stack, and the mark.
func (m *machine) popMark() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(mark); ok {
			top := m.stack[i+1:]
			m.stack = m.stack[:i]
			return top, nil
		}
	}
	return nil, errors.New("found no mark")
}

// step executes one opcode.
func (m *machine) step(op byte) error {
	for _, group := range []func(*machine, byte) (bool, error){(*machine).constant, (*machine).container, (*machine).memory, (*machine).object} {
		if known, err := group(m, op); known || err != nil {
			return err
		}
	}
	name, ok := refused[op]
	if !ok {
		name = "unknown"
	}
	return fmt.Errorf("opcode %#02x (%s): not among those that arrays need; the file may run code elsewhere and is not read", op, name)
}

// constant executes opcodes that push a plain value.
func (m *machine) constant(op byte) (known bool, err error) {
	switch op {
	case opNone:
		return true, m.push(nil, nil)
	case opTrue, opFalse:
		return true, m.push(op == opTrue, nil)
	case opInt:
		n, err := m.unsigned(4)
		return true, m.push(int64(int32(n)), err)
	case opInt1, opInt2:
		n, err := m.unsigned(map[byte]int{opInt1: 1, opInt2: 2}[op])
		return true, m.push(int64(n), err)
	case opLong1:
		return true, m.long()
	case opFloat:
		b, err := m.take(8)
		if err != nil {
			return true, err
		}
		return true, m.push(math.Float64frombits(binary.BigEndian.Uint64(b)), nil)
	case opText, opShortText, opText8:
		b, err := m.sized(map[byte]int{opShortText: 1, opText: 4, opText8: 8}[op])
		if err == nil && !utf8.Valid(b) {
			err = errors.New("found broken UTF-8 in a text")
		}
		return true, m.push(string(b), err)
	case opShortBytes, opBytes, opBytes8, opByteArray:
		b, err := m.sized(map[byte]int{opShortBytes: 1, opBytes: 4, opBytes8: 8, opByteArray: 8}[op])
		return true, m.push(b, err)
	case opShortString, opString:
		b, err := m.sized(map[byte]int{opShortString: 1, opString: 4}[op])
		return true, m.push(string(b), err)
	}
	return false, nil
}

// long pushes an integer of so many bytes in two's complement.
func (m *machine) long() error {
	b, err := m.sized(1)
	if err != nil {
		return err
	}
	if len(b) > 8 {
		return fmt.Errorf("found an integer of %d bytes, expected at most 8", len(b))
	}
	var x [8]byte
	if len(b) > 0 && b[len(b)-1] >= 0x80 {
		x = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
	}
	copy(x[:], b)
	return m.push(int64(binary.LittleEndian.Uint64(x[:])), nil)
}

// memory executes opcodes that remember values, and those around them.
func (m *machine) memory(op byte) (known bool, err error) {
	switch op {
	case opPut, opLongPut, opMemoize:
		at := uint64(len(m.memo))
		if op != opMemoize {
			at, err = m.unsigned(map[byte]int{opPut: 1, opLongPut: 4}[op])
		}
		top, err2 := m.pop(1)
		if err := errors.Join(err, err2); err != nil {
			return true, err
		}
		m.memo[uint32(at)] = top[0]
		return true, m.push(top[0], nil)
	case opGet, opLongGet:
		at, err := m.unsigned(map[byte]int{opGet: 1, opLongGet: 4}[op])
		v, ok := m.memo[uint32(at)]
		if err == nil && !ok {
			err = fmt.Errorf("found no remembered value %d", at)
		}
		return true, m.push(v, err)
	case opMark:
		return true, m.push(mark{}, nil)
	case opFrame:
		n, err := m.unsigned(8)
		if err == nil && (m.pos < m.frame || n > uint64(len(m.data)-m.pos)) {
			err = fmt.Errorf("frame of %d bytes: found %d", n, len(m.data)-m.pos)
		}
		m.frame = m.pos + int(min(n, math.MaxInt32))
		return true, err
	}
	return false, nil
}
