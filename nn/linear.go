package nn

import "github.com/mminfer/mminfer/tensor"

// Linear is y = x·Wᵀ + b, W [out, in]. It may stack several projections of one input.
type Linear struct {
	W    *tensor.Weight
	Bias []float32 // [out], nil for none

	// Watch, if not nil, is shown the input of every product.
	Watch func(x tensor.Mat)
}

// Mul computes dst [T, out] from x [T, in].
func (l *Linear) Mul(dst, x tensor.Mat, ws *tensor.Workspace) {
	if l.Watch != nil {
		l.Watch(x)
	}
	tensor.MatMul(ws, dst, x, l.W)
	if l.Bias != nil {
		addBias(dst, l.Bias, ws)
	}
}

// Out returns x·Wᵀ + b in a matrix of the workspace.
func (l *Linear) Out(x tensor.Mat, ws *tensor.Workspace) tensor.Mat {
	y := ws.Mat(x.Rows, l.W.Rows)
	l.Mul(y, x, ws)
	return y
}

// elements is the number of weights: the multiply-adds of one row of x.
func (l *Linear) elements() int64 { return int64(l.W.Rows) * int64(l.W.Cols) }
