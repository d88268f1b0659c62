package dense_test

import (
	"fmt"

	gorgonia "gorgonia.org/tensor"

	"github.com/mminfer/mminfer/tensor"
	"github.com/mminfer/mminfer/tensor/dense"
)

// Logits become a gorgonia tensor without a copy, and probabilities by this module's softmax.
func Example() {
	engine := new(dense.Engine)
	logits := []float32{0, 0, 0, 0}
	t, err := engine.FromSlice(logits, 2, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	logits[3] = 200 // seen by the tensor
	p, err := gorgonia.SoftMax(t, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Shape(), p.Data())
	// Output: (2, 2) [0.5 0.5 0 1]
}

// Two columns of a wider matrix are multiplied where they lie.
func ExampleEngine() {
	pool := tensor.NewPool(2)
	defer pool.Close()
	engine := &dense.Engine{Pool: pool}

	wide := tensor.Mat{Rows: 2, Cols: 4, Stride: 4, Data: []float32{1, 2, 0, 0, 3, 4, 0, 0}}
	a, err := engine.FromMat(wide.Columns(0, 2))
	if err != nil {
		fmt.Println(err)
		return
	}
	b, err := engine.FromSlice([]float32{1, 10, 1, 10}, 2, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := a.MatMul(b)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Data())
	// Output: [3 30 7 70]
}

// A slice of a gorgonia tensor is a matrix over the same memory.
func ExampleToMat() {
	t := gorgonia.New(gorgonia.WithShape(2, 3), gorgonia.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
	columns, err := t.Slice(nil, gorgonia.S(1, 3))
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := dense.ToMat(columns)
	if err != nil {
		fmt.Println(err)
		return
	}
	m.Row(1)[0] = 50
	fmt.Println(m.Rows, m.Cols, m.Stride, t.Data())
	// Output: 2 2 3 [1 2 3 4 50 6]
}
