package dense

import (
	"fmt"
	"slices"

	gorgonia "gorgonia.org/tensor"

	"github.com/mminfer/mminfer/tensor"
)

// FromMat returns the matrix as a tensor [Rows, Cols] over the same memory, bound to the engine.
// If rows lie apart (Stride > Cols) it is a view, which gorgonia reads and writes by iterators
// and cannot reshape; Materialize copies it. Of gorgonia's methods on such a view, Zero clears
// what lies between the rows too: use Memset. T loses the stride of a view of a single column,
// and the engine then refuses it. It returns an error if the matrix has no elements or its sizes
// contradict its data.
func (e *Engine) FromMat(m tensor.Mat) (*gorgonia.Dense, error) {
	if m.Rows < 1 || m.Cols < 1 {
		return nil, fmt.Errorf("dense: FromMat: [%d %d]: want at least one element", m.Rows, m.Cols)
	}
	if m.Rows > 1 && m.Stride < m.Cols || len(m.Data) < m.Cols || m.Rows > 1 && (len(m.Data)-m.Cols)/m.Stride < m.Rows-1 {
		return nil, fmt.Errorf("dense: FromMat: [%d %d]: rows %d apart do not lie in %d elements", m.Rows, m.Cols, m.Stride, len(m.Data))
	}
	if m.Rows == 1 || m.Stride == m.Cols {
		return e.FromSlice(m.Data[:m.Rows*m.Cols], m.Rows, m.Cols)
	}
	// Only a slice of a tensor counts as a view of it.
	parent := gorgonia.New(gorgonia.WithBacking(m.Data[:(m.Rows-1)*m.Stride+m.Cols]), gorgonia.WithEngine(e))
	*parent.Info() = gorgonia.MakeAP(gorgonia.Shape{m.Rows, m.Cols}, []int{m.Stride, 1}, gorgonia.NonContiguous, gorgonia.NotTriangle)
	view, err := parent.Slice(nil, nil)
	if err != nil {
		return nil, fmt.Errorf("dense: FromMat: [%d %d]: %w", m.Rows, m.Cols, err)
	}
	return view.(*gorgonia.Dense), nil
}

// FromSlice returns the elements as a tensor of the given shape, the last axis innermost, over
// the same memory, bound to the engine. No shape makes a scalar. It returns an error unless the
// shape has exactly len(data) elements, at least one.
func (e *Engine) FromSlice(data []float32, shape ...int) (*gorgonia.Dense, error) {
	left := len(data)
	for _, n := range shape {
		if n < 1 || left%n != 0 {
			left = 0
			break
		}
		left /= n
	}
	if left != 1 {
		return nil, fmt.Errorf("dense: FromSlice: shape %v: want one of %d elements, all sizes at least 1", shape, len(data))
	}
	return gorgonia.New(gorgonia.WithShape(shape...), gorgonia.WithBacking(data), gorgonia.WithEngine(e)), nil
}

// ToMat returns a matrix over the memory of a float32 tensor [rows, cols], or [cols] as one row.
// It returns an error if the elements of a row do not follow each other.
func ToMat(t gorgonia.Tensor) (tensor.Mat, error) {
	l, err := layoutOf(t)
	if err != nil {
		return tensor.Mat{}, fmt.Errorf("dense: ToMat: %w", err)
	}
	switch len(l.shape) {
	case 1:
		if l.shape[0] == 1 || l.strides[0] == 1 {
			return tensor.Mat{Rows: 1, Cols: l.shape[0], Stride: l.shape[0], Data: l.data}, nil
		}
	case 2:
		if v, _ := l.matrix(); v.rowMajor() {
			return tensor.Mat{Rows: v.rows, Cols: v.cols, Stride: v.rs, Data: v.data}, nil
		}
	}
	return tensor.Mat{}, fmt.Errorf("dense: ToMat: tensor %v with strides %v: want a matrix in row-major order; materialize it first", l.shape, l.strides)
}

// ToSlice returns the elements of a float32 tensor, the last axis innermost, in its own memory.
// It returns an error if they do not follow each other in that order.
func ToSlice(t gorgonia.Tensor) ([]float32, error) {
	l, err := layoutOf(t)
	if err != nil {
		return nil, fmt.Errorf("dense: ToSlice: %w", err)
	}
	want := 1
	for i, n := range slices.Backward(l.shape) {
		if n > 1 && l.strides[i] != want {
			return nil, fmt.Errorf("dense: ToSlice: tensor %v with strides %v: want row-major order without gaps; materialize it first", l.shape, l.strides)
		}
		want *= n
	}
	return l.data, nil
}

// layout is where the elements of a tensor lie.
type layout struct {
	shape, strides []int     // a stride for every axis
	data           []float32 // from the first element to the last
	loose          bool      // the tensor holds more than data
}

// layoutOf returns the layout of a dense float32 tensor, or an error if it has none to be trusted.
func layoutOf(t gorgonia.Tensor) (layout, error) {
	d := float32s(t)
	if d == nil {
		return layout{}, fmt.Errorf("%T: want a *tensor.Dense of float32 in Go's memory", t)
	}
	l := layout{shape: d.Shape(), strides: d.Strides(), data: d.Float32s()}
	if len(l.strides) < len(l.shape) {
		// A vector in column-major order has one stride for its two axes, a single element none.
		l.strides = slices.Repeat([]int{1}, len(l.shape))
	}
	last, unit := 0, true
	for i, n := range l.shape {
		if n < 1 || l.strides[i] < 0 {
			return l, fmt.Errorf("tensor %v with strides %v: want at least one element", l.shape, l.strides)
		}
		last += (n - 1) * l.strides[i]
		unit = unit && l.strides[i] == 1
	}
	if last >= len(l.data) {
		return l, fmt.Errorf("tensor %v with strides %v: needs %d elements, has %d", l.shape, l.strides, last+1, len(l.data))
	}
	l.loose = last+1 < len(l.data)
	if l.loose && unit && d.DataOrder().IsTransposed() {
		// T gives every vector the strides 1, 1, but the elements of this one lie apart.
		return l, fmt.Errorf("tensor %v: T lost the stride of a view of one row or column; materialize the view before T", l.shape)
	}
	l.data = l.data[: last+1 : last+1]
	return l, nil
}

// matrix returns a layout of two axes as a view.
func (l layout) matrix() (view, bool) {
	if len(l.shape) != 2 {
		return view{}, false
	}
	return view{l.data, l.shape[0], l.shape[1], l.strides[0], l.strides[1]}.normal(), true
}

// column returns a vector, [n], [n, 1], [1, n] or a scalar, as a view [n, 1].
func (l layout) column() (view, bool) {
	n, stride := 1, 1
	for i, s := range l.shape {
		if s > 1 {
			if n > 1 {
				return view{}, false
			}
			n, stride = s, l.strides[i]
		}
	}
	return view{l.data, n, 1, stride, 1}.normal(), len(l.shape) <= 2
}

// row returns a vector as a view [1, n].
func (l layout) row() (view, bool) {
	v, ok := l.column()
	return v.t(), ok
}
