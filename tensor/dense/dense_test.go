package dense

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	gorgonia "gorgonia.org/tensor"

	"github.com/mminfer/mminfer/tensor"
)

// normals returns n normal values.
func normals(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// at returns an element of a tensor as gorgonia sees it.
func at(t *testing.T, x gorgonia.Tensor, coords ...int) float32 {
	t.Helper()
	v, err := x.At(coords...)
	if err != nil {
		t.Fatal(err)
	}
	return v.(float32)
}

func TestMatSharesMemory(t *testing.T) {
	wide := tensor.NewMat(4, 7)
	for name, m := range map[string]tensor.Mat{
		"whole":      tensor.NewMat(3, 5),
		"rows":       wide.Slice(1, 3),
		"columns":    wide.Columns(2, 6),
		"one column": wide.Columns(3, 4),
		"one row":    wide.Slice(2, 3).Columns(1, 4),
		"single":     wide.Slice(0, 1).Columns(6, 7),
	} {
		d, err := new(Engine).FromMat(m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		back, err := ToMat(d)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !slices.Equal(d.Shape(), gorgonia.Shape{m.Rows, m.Cols}) || back.Rows != m.Rows || back.Cols != m.Cols {
			t.Fatalf("%s: [%d %d] became %v and [%d %d]", name, m.Rows, m.Cols, d.Shape(), back.Rows, back.Cols)
		}
		if want := m.Rows > 1 && m.Stride > m.Cols; d.IsView() != want || d.RequiresIterator() != (want && m.Rows*m.Cols > 1) {
			t.Errorf("%s: a view: %v, iterated: %v", name, d.IsView(), d.RequiresIterator())
		}
		for i := range m.Rows {
			for j := range m.Cols {
				m.Row(i)[j] = float32(1 + 10*i + j)
				if got := at(t, d, i, j); got != m.Row(i)[j] {
					t.Errorf("%s: [%d %d] = %v in the tensor, %v in the matrix", name, i, j, got, m.Row(i)[j])
				}
				if err := d.SetAt(float32(-1-10*i-j), i, j); err != nil {
					t.Fatal(err)
				}
				if m.Row(i)[j] != float32(-1-10*i-j) || back.Row(i)[j] != m.Row(i)[j] {
					t.Errorf("%s: [%d %d] = %v in the matrix, %v after the round trip", name, i, j, m.Row(i)[j], back.Row(i)[j])
				}
			}
		}
	}
}

// TestViewInGorgonia does what gorgonia can do to a view of columns: the rest stays as it was.
func TestViewInGorgonia(t *testing.T) {
	wide := tensor.NewMat(3, 5)
	for i := range wide.Data {
		wide.Data[i] = float32(i)
	}
	want := slices.Clone(wide.Data)
	d, err := new(Engine).FromMat(wide.Columns(1, 3))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := gorgonia.Add(d, d)
	if err != nil {
		t.Fatal(err)
	}
	solid, err := ToSlice(d.Materialize())
	if err != nil || !slices.Equal(solid, []float32{1, 2, 6, 7, 11, 12}) {
		t.Errorf("materialized: %v, %v", solid, err)
	}
	if err := d.Memset(float32(9)); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		for j := range 2 {
			if got := at(t, sum, i, j); got != 2*want[i*5+1+j] {
				t.Errorf("sum [%d %d] = %v", i, j, got)
			}
			want[i*5+1+j] = 9
		}
	}
	if !slices.Equal(wide.Data, want) {
		t.Errorf("after Memset: %v, want %v", wide.Data, want)
	}
}

func TestSliceSharesMemory(t *testing.T) {
	for _, shape := range [][]int{{}, {1}, {6}, {2, 3}, {1, 6}, {6, 1}, {1, 2, 1, 3}, {1, 4, 3, 2}} {
		n := gorgonia.Shape(shape).TotalSize()
		data := normals(rand.New(rand.NewPCG(1, 1)), n)
		d, err := new(Engine).FromSlice(data, shape...)
		if err != nil {
			t.Fatalf("%v: %v", shape, err)
		}
		back, err := ToSlice(d)
		if err != nil || len(back) != n || !slices.Equal(d.Shape(), shape) {
			t.Fatalf("%v: shape %v, %d elements, %v", shape, d.Shape(), len(back), err)
		}
		last := make([]int, len(shape))
		for i, s := range shape {
			last[i] = s - 1
		}
		data[n-1] = 5
		if len(shape) > 0 && at(t, d, last...) != 5 || back[n-1] != 5 {
			t.Errorf("%v: a write to the slice is not seen", shape)
		}
		d.Set(0, float32(7))
		if data[0] != 7 || back[0] != 7 {
			t.Errorf("%v: a write to the tensor is not seen", shape)
		}
	}
}

func TestToMatOfVector(t *testing.T) {
	e := new(Engine)
	d, err := e.FromSlice([]float32{1, 2, 3}, 3)
	if err != nil {
		t.Fatal(err)
	}
	m, err := ToMat(d)
	if err != nil || m.Rows != 1 || m.Cols != 3 || m.Row(0)[2] != 3 {
		t.Errorf("%+v, %v", m, err)
	}
}

// must fails the test on an error.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestConversionErrors(t *testing.T) {
	e := new(Engine)
	fromMat := func(rows, cols, stride, n int) func() error {
		return func() error {
			_, err := e.FromMat(tensor.Mat{Rows: rows, Cols: cols, Stride: stride, Data: make([]float32, n)})
			return err
		}
	}
	fromSlice := func(n int, shape ...int) func() error {
		return func() error { _, err := e.FromSlice(make([]float32, n), shape...); return err }
	}
	toMat := func(x gorgonia.Tensor) func() error { return func() error { _, err := ToMat(x); return err } }
	toSlice := func(x gorgonia.Tensor) func() error { return func() error { _, err := ToSlice(x); return err } }
	matrix := func() *gorgonia.Dense { return must[*gorgonia.Dense](t)(e.FromSlice(make([]float32, 12), 3, 4)) }
	turned := matrix()
	if err := turned.T(); err != nil {
		t.Fatal(err)
	}
	columns := must[gorgonia.View](t)(matrix().Slice(nil, gorgonia.S(1, 3)))
	column := must[gorgonia.View](t)(matrix().Slice(nil, gorgonia.S(1)))
	lost := must[*gorgonia.Dense](t)(e.FromMat(tensor.NewMat(3, 4).Columns(1, 2)))
	if err := lost.T(); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() error{
		"no rows":                  fromMat(0, 3, 3, 9),
		"negative columns":         fromMat(3, -1, 3, 9),
		"stride below columns":     fromMat(3, 3, 2, 9),
		"negative stride":          fromMat(2, 3, -3, 9),
		"row too short":            fromMat(1, 3, 3, 2),
		"data too short":           fromMat(3, 3, 4, 10),
		"stride overflows":         fromMat(3, 3, math.MaxInt, 10),
		"shape too large":          fromSlice(6, 2, 4),
		"shape too small":          fromSlice(6, 2),
		"shape overflows":          fromSlice(0, math.MaxInt, 2, 2),
		"zero in shape":            fromSlice(0, 3, 0),
		"negative shape":           fromSlice(6, -2, -3),
		"no data for a scalar":     fromSlice(0),
		"float64":                  toMat(gorgonia.New(gorgonia.WithShape(2, 2), gorgonia.Of(gorgonia.Float64))),
		"nil":                      toMat(nil),
		"nil dense":                toSlice((*gorgonia.Dense)(nil)),
		"sparse":                   toSlice(gorgonia.CSRFromCoord(gorgonia.Shape{2, 2}, []int{0}, []int{1}, []float32{1})),
		"three axes":               toMat(must[*gorgonia.Dense](t)(e.FromSlice(make([]float32, 8), 2, 2, 2))),
		"transposed matrix":        toMat(turned),
		"transposed slice":         toSlice(turned),
		"columns as a slice":       toSlice(columns),
		"column as a row":          toMat(column),
		"column as a slice":        toSlice(column),
		"transposed single column": toMat(lost),
		"empty":                    toMat(gorgonia.New(gorgonia.WithShape(0, 3), gorgonia.Of(gorgonia.Float32))),
	} {
		if err := f(); err == nil || !strings.HasPrefix(err.Error(), "dense: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
