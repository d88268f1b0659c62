package tensor

// Mat is a matrix of activations: float32, row-major, rows Stride elements apart, so that some
// columns of a wider matrix are a Mat too.
type Mat struct {
	Rows, Cols, Stride int
	Data               []float32 // len ≥ (Rows-1)·Stride + Cols
}

// NewMat allocates a matrix of zeros.
func NewMat(rows, cols int) Mat {
	return Mat{rows, cols, cols, Floats(rows * cols)}
}

// Row returns row i, [Cols].
func (m Mat) Row(i int) []float32 {
	return m.Data[i*m.Stride : i*m.Stride+m.Cols : i*m.Stride+m.Cols]
}

// Slice returns the view of rows from to to-1.
func (m Mat) Slice(from, to int) Mat {
	if from == to { // a view of columns may end before the start of a next row
		return Mat{0, m.Cols, m.Stride, nil}
	}
	end := (to-1)*m.Stride + m.Cols
	return Mat{to - from, m.Cols, m.Stride, m.Data[from*m.Stride : end : end]}
}

// Columns returns the view of columns from to to-1.
func (m Mat) Columns(from, to int) Mat {
	if m.Rows == 0 {
		return Mat{0, to - from, m.Stride, nil}
	}
	end := (m.Rows-1)*m.Stride + to
	return Mat{m.Rows, to - from, m.Stride, m.Data[from:end:end]}
}
