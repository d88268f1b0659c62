package tensor

import "fmt"

// Tensor is a tensor of a checkpoint: row-major, little-endian, immutable. Data is often a
// view of a mapped file and lives no longer than the file stays open.
type Tensor struct {
	Name  string
	Type  Type
	Shape []int  // outermost first; empty for a scalar
	Data  []byte // len = Elements() · Type.Size(), or as many whole blocks; none crosses a row

	in *inside // of few tensors, so that a header of many does not cost what it does not hold
}

// inside is what is known of a tensor's rows.
type inside struct {
	panels []panels // of Packed, in the order of Data
	origin string   // the tensor it is rows of, see [Tensor.Origin]
	row    int
}

// rows returns what is known of the tensor's rows.
func (t Tensor) rows() inside {
	if t.in == nil {
		return inside{}
	}
	return *t.in
}

// Whole returns the tensor marked as all of itself, for [Tensor.Origin].
func (t Tensor) Whole() Tensor {
	t.in = &inside{t.rows().panels, t.Name, 0}
	return t
}

// Origin returns the name of the [Tensor.Whole] that the tensor is consecutive rows of, and the first of
// them, where the last axis alone is columns; "" if it is not known to be.
func (t Tensor) Origin() (name string, row int) {
	in := t.rows()
	return in.origin, in.row
}

// Elements returns the number of elements; 1 for a scalar.
func (t Tensor) Elements() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// String describes the tensor as "name BF16 [out in]".
func (t Tensor) String() string { return fmt.Sprintf("%s %s %v", t.Name, t.Type, t.Shape) }

// Rows returns the view of rows from to to-1 of the first axis. If the type stores blocks, the
// tensor must have a second axis.
func (t Tensor) Rows(from, to int) Tensor {
	shape := append([]int{to - from}, t.Shape[1:]...)
	in := t.rows()
	v := Tensor{Name: fmt.Sprintf("%s[%d:%d]", t.Name, from, to), Type: t.Type, Shape: shape, in: &inside{origin: in.origin}}
	each := t.Elements() / max(t.Shape[0], 1) / max(t.columns(), 1)
	v.in.row = in.row + from*each
	if t.Type == Packed {
		v.Data, v.in.panels = rowsOf(in.panels, from*each, to*each)
		return v
	}
	n, size := t.Type.Block()
	row := t.Elements() / max(t.Shape[0], 1) / n * size
	v.Data = t.Data[from*row : to*row]
	return v
}
