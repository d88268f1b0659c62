package dense

import (
	"fmt"
	"slices"
	"sync"

	gorgonia "gorgonia.org/tensor"

	"github.com/mminfer/mminfer/tensor"
)

// Engine is a gorgonia execution engine: a StdEng whose products and softmaxes of float32 run on
// this module's kernels and are right for operands with any strides: slices by rows, columns or
// steps, T, column-major order. The result of a product has the same bits for all of them, for
// any number of threads and any instruction set; an element's error is below
// (min(k, 256) + k/256 + 2)·2⁻²⁴·Σ|aᵢ·bᵢ|.
//
// The zero value is ready and computes on the calling goroutine. An Engine is safe for concurrent
// use and must not be copied. MatMul, MatVecMul and Outer allocate nothing but scratch memory of the
// size of the packed operands, kept for the next call until the garbage collector wants it;
// gorgonia's wrappers around them (Dense.MatMul) allocate some 100 bytes a call and, without
// WithReuse, the result.
//
// The result of a product given by WithReuse may be an operand, but not a view: gorgonia forgets
// the strides of such a view before the engine sees it, and the engine refuses what is left.
type Engine struct {
	gorgonia.StdEng

	// Pool shares the work and must be open; nil means the calling goroutine alone.
	Pool *tensor.Pool

	workspaces sync.Pool
}

// workspace returns scratch memory, to be handed back to e.workspaces.
func (e *Engine) workspace() *tensor.Workspace {
	ws, ok := e.workspaces.Get().(*tensor.Workspace)
	if !ok {
		ws = new(tensor.Workspace)
	}
	ws.Pool = e.Pool
	return ws
}

// MatMul computes prealloc [m, n] = a [m, k] · b [k, n]. Types other than float32 go to StdEng.
// It returns an error if the shapes disagree.
func (e *Engine) MatMul(a, b, prealloc gorgonia.Tensor) error {
	if !allFloat32(a, b, prealloc) {
		return e.StdEng.MatMul(a, b, prealloc)
	}
	return e.multiply("MatMul", operand{prealloc, layout.matrix}, operand{a, layout.matrix}, operand{b, layout.matrix})
}

// MatVecMul computes prealloc [m] = a [m, k] · b [k]; a vector [n] may also be [1, n] or [n, 1].
// Types other than float32 go to StdEng. It returns an error if the shapes disagree.
func (e *Engine) MatVecMul(a, b, prealloc gorgonia.Tensor) error {
	if !allFloat32(a, b, prealloc) {
		return e.StdEng.MatVecMul(a, b, prealloc)
	}
	return e.multiply("MatVecMul", operand{prealloc, layout.column}, operand{a, layout.matrix}, operand{b, layout.column})
}

// Outer computes prealloc [m, n] = a [m] · b [n]ᵀ, overwriting what is there. Types other than
// float32 go to StdEng. It returns an error if the shapes disagree.
func (e *Engine) Outer(a, b, prealloc gorgonia.Tensor) error {
	if !allFloat32(a, b, prealloc) {
		return e.StdEng.Outer(a, b, prealloc)
	}
	return e.multiply("Outer", operand{prealloc, layout.matrix}, operand{a, layout.column}, operand{b, layout.row})
}

// Inner returns Σ a[i]·b[i] of two vectors, a float32 for float32. Other types go to StdEng. It
// returns an error if the shapes disagree.
func (e *Engine) Inner(a, b gorgonia.Tensor) (any, error) {
	if !allFloat32(a, b) {
		return e.StdEng.Inner(a, b)
	}
	sum := gorgonia.New(gorgonia.FromScalar(float32(0)), gorgonia.WithEngine(e))
	err := e.multiply("Inner", operand{sum, layout.column}, operand{a, layout.row}, operand{b, layout.column})
	return sum.GetF32(0), err
}

// Dot computes the product that the shapes ask for: of two vectors [Engine.Inner], otherwise what
// StdEng chooses, by this engine. Of a vector and a matrix, StdEng turns the matrix by T for the
// time of the call: no other goroutine may use it meanwhile.
func (e *Engine) Dot(a, b gorgonia.Tensor, opts ...gorgonia.FuncOpt) (gorgonia.Tensor, error) {
	if !allFloat32(a, b) || !a.Shape().IsVector() || !b.Shape().IsVector() {
		return e.StdEng.Dot(a, b, opts...)
	}
	sum, err := e.Inner(a, b)
	if err != nil {
		return nil, err
	}
	return gorgonia.New(gorgonia.FromScalar(sum), gorgonia.WithEngine(e)), nil
}

// operand is a tensor and how to see it as a matrix.
type operand struct {
	t  gorgonia.Tensor
	as func(layout) (view, bool)
}

// multiply computes dst = a · b; all are dense float32 tensors.
func (e *Engine) multiply(op string, dst, a, b operand) error {
	var views [3]view
	for i, o := range [...]operand{dst, a, b} {
		l, err := layoutOf(o.t)
		if err != nil {
			return fmt.Errorf("dense: %s: %w", op, err)
		}
		if i == 0 && l.loose {
			return fmt.Errorf("dense: %s: result %v: is a view whose strides are gone; want a tensor of its own", op, l.shape)
		}
		var ok bool
		if views[i], ok = o.as(l); !ok {
			return fmt.Errorf("dense: %s: operand %v: wrong number of axes", op, l.shape)
		}
	}
	d, x, y := views[0], views[1], views[2]
	if x.cols != y.rows || d.rows != x.rows || d.cols != y.cols {
		return fmt.Errorf("dense: %s: [%d %d] · [%d %d] into [%d %d]: shapes disagree", op, x.rows, x.cols, y.rows, y.cols, d.rows, d.cols)
	}
	ws := e.workspace()
	multiply(ws, d, x, y, !overlap(dst.t, a.t) && !overlap(dst.t, b.t))
	e.workspaces.Put(ws)
	return nil
}

// overlap reports whether two tensors share memory.
func overlap(a, b gorgonia.Memory) bool {
	return a.Uintptr() < b.Uintptr()+b.MemSize() && b.Uintptr() < a.Uintptr()+a.MemSize()
}

// float32s returns the tensor as a dense tensor of float32, nil if it is none.
func float32s(t gorgonia.Tensor) *gorgonia.Dense {
	d, ok := t.(*gorgonia.Dense)
	if !ok || d == nil || d.Dtype() != gorgonia.Float32 || !d.IsNativelyAccessible() {
		return nil
	}
	return d
}

func allFloat32(tensors ...gorgonia.Tensor) bool {
	return !slices.ContainsFunc(tensors, func(t gorgonia.Tensor) bool { return float32s(t) == nil })
}
