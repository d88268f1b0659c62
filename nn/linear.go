package nn

import "github.com/mminfer/mminfer/tensor"

// Linear is y = x·Wᵀ + b, W [out, in]. It may stack several projections of one input.
type Linear struct {
	W    *tensor.Weight
	More []*tensor.Weight // rows below those of W that are packed apart; only attentions and gated MLPs have any
	Bias []float32        // [out], nil for none

	// Watch, if not nil, is shown the input of every product.
	Watch func(x tensor.Mat)
}

// rows is the length of y.
func (l *Linear) rows() int {
	n := l.W.Rows
	for _, w := range l.More {
		n += w.Rows
	}
	return n
}

// bytes is what a product reads of the weights.
func (l *Linear) bytes() int64 {
	n := l.W.Bytes()
	for _, w := range l.More {
		n += w.Bytes()
	}
	return n
}

// several is what products with weights packed apart keep from call to call.
type several struct{ products []tensor.Product }

// stacked computes dst = x·Wᵀ for weights packed apart.
func (l *Linear) stacked(dst, x tensor.Mat, ws *tensor.Workspace) {
	t := tensor.Local[several](ws)
	t.products = append(t.products[:0], tensor.Product{Dst: dst.Columns(0, l.W.Rows), X: x, W: l.W})
	at := l.W.Rows
	for _, w := range l.More {
		t.products = append(t.products, tensor.Product{Dst: dst.Columns(at, at+w.Rows), X: x, W: w})
		at += w.Rows
	}
	tensor.MatMulAll(ws, t.products)
	clear(t.products)
}

// Mul computes dst [T, out] from x [T, in].
func (l *Linear) Mul(dst, x tensor.Mat, ws *tensor.Workspace) {
	if l.Watch != nil {
		l.Watch(x)
	}
	if l.More == nil {
		tensor.MatMul(ws, dst, x, l.W)
	} else {
		l.stacked(dst, x, ws)
	}
	if l.Bias != nil {
		addBias(dst, l.Bias, ws)
	}
}

// Out returns x·Wᵀ + b in a matrix of the workspace.
func (l *Linear) Out(x tensor.Mat, ws *tensor.Workspace) tensor.Mat {
	y := ws.Mat(x.Rows, l.rows())
	l.Mul(y, x, ws)
	return y
}

// elements is the number of weights: the multiply-adds of one row of x.
func (l *Linear) elements() int64 { return int64(l.rows()) * int64(l.W.Cols) }
