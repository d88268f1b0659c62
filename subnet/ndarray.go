package subnet

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/mminfer/mminfer/tensor"
)

// dtype is numpy's description of an element.
type dtype struct {
	kind  byte // b, f, i, u or O
	size  int  // bytes
	order byte // '<' or '>', 0 for those of one byte and before it is told
}

// parseDtype reads a type such as f8, <f8, |b1 or O8.
func parseDtype(s string) (*dtype, error) {
	d := new(dtype)
	name := s
	if len(name) > 0 {
		switch name[0] {
		case '<', '>':
			d.order, name = name[0], name[1:]
		case '|', '=':
			name = name[1:]
		}
	}
	switch name {
	case "b1", "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1":
		d.kind, d.size = name[0], int(name[1]-'0')
	case "O", "O4", "O8":
		d.kind = 'O'
	default:
		return nil, fmt.Errorf("element type %.40q: expected b1, f2, f4, f8, i1 to i8, u1 or O", s)
	}
	return d, nil
}

// types are the element types as a checkpoint stores them, with which they share the decoding.
var types = map[string]tensor.Type{
	"b1": tensor.Bool, "f2": tensor.F16, "f4": tensor.F32, "f8": tensor.F64,
	"i1": tensor.I8, "i2": tensor.I16, "i4": tensor.I32, "i8": tensor.I64, "u1": tensor.U8,
}

// number decodes one element. Integers beyond 2⁵³ round.
func (d *dtype) number(b []byte) float64 {
	if d.order == '>' {
		var turned [8]byte
		for i := range d.size {
			turned[i] = b[d.size-1-i]
		}
		b = turned[:d.size]
	}
	switch {
	case d.kind == 'f' && d.size == 8:
		return math.Float64frombits(binary.LittleEndian.Uint64(b))
	case d.kind == 'i' && d.size == 8:
		return float64(int64(binary.LittleEndian.Uint64(b)))
	}
	var x [1]float32 // holds every other type but i4, whose low bits no file of this kind has
	tensor.Tensor{Type: types[fmt.Sprintf("%c%d", d.kind, d.size)], Data: b[:d.size]}.Floats(x[:], 0)
	return float64(x[0])
}

// array is an n-dimensional array of numbers or of objects.
type array struct {
	built   bool
	shape   []int
	dtype   *dtype
	data    []byte    // of numbers, row by row
	objects []any     // of dtype O
	floats  []float64 // the numbers, once they were asked for
}

// elements returns the product of a shape, an error if it is beyond limit.
func elements(shape []int, limit int) (int, error) {
	const maxAxes = 32
	if len(shape) > maxAxes {
		return 0, fmt.Errorf("array of %d axes: expected at most %d", len(shape), maxAxes)
	}
	n := 1
	for _, s := range shape {
		if s < 0 || s > 0 && n > limit/s {
			return 0, fmt.Errorf("array shape %v: found more elements than the %d there is room for", shape, limit)
		}
		n *= s
	}
	return n, nil
}

// fill gives an array its contents.
func (a *array) fill(shape []int, d *dtype, fortran bool, data []byte, objects []any) error {
	if a.built {
		return fmt.Errorf("array %v is filled twice", a.shape)
	}
	if fortran && len(shape) > 1 {
		return fmt.Errorf("array %v: found columns first, expected rows first", shape)
	}
	have := len(objects)
	if d.kind != 'O' {
		have = len(data) / d.size
	}
	n, err := elements(shape, have)
	if err != nil {
		return err
	}
	if n != have || d.kind != 'O' && len(data)%d.size != 0 {
		return fmt.Errorf("array %v of %c%d: found %d elements, expected %d", shape, d.kind, d.size, have, n)
	}
	*a = array{built: true, shape: shape, dtype: d, data: data, objects: objects}
	return nil
}

// numbers returns the elements of an array of numbers. The slice must not be modified.
func (a *array) numbers() ([]float64, error) {
	if !a.built || a.dtype.kind == 'O' {
		return nil, fmt.Errorf("array %v: found no numbers", a.shape)
	}
	if a.floats == nil {
		a.floats = make([]float64, len(a.data)/a.dtype.size)
		for i := range a.floats {
			a.floats[i] = a.dtype.number(a.data[i*a.dtype.size:])
		}
	}
	return a.floats, nil
}
