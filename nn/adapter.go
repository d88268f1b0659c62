package nn

import "github.com/mminfer/mminfer/tensor"

// Adapter is a correction of a stack of projections: part i of their output gains Up[i]·(Down[i]·x).
// A nil *Adapter is none.
type Adapter struct {
	Down *Linear   // [n·r, D], the parts' one after another
	Up   []*Linear // n of [rows, r]
}

// correcting is what add keeps from call to call.
type correcting struct{ products []tensor.Product }

// add computes y += Up·(Down·x), [T, rows of all parts].
func (l *Adapter) add(y, x tensor.Mat, ws *tensor.Workspace) {
	if l == nil {
		return
	}
	mark := ws.Mark()
	low, d := l.Down.Out(x, ws), ws.Mat(y.Rows, y.Cols)
	t := tensor.Local[correcting](ws)
	t.products = t.products[:0]
	from, row := 0, 0
	for _, up := range l.Up {
		r, rows := up.W.Cols, up.W.Rows
		t.products = append(t.products, tensor.Product{Dst: d.Columns(row, row+rows), X: low.Columns(from, from+r), W: up.W})
		from, row = from+r, row+rows
	}
	tensor.MatMulAll(ws, t.products)
	clear(t.products)
	add(y, d, ws)
	ws.Release(mark)
}

// each calls f for every matrix.
func (l *Adapter) each(f func(l *Linear)) {
	if l == nil {
		return
	}
	f(l.Down)
	for _, up := range l.Up {
		f(up)
	}
}
