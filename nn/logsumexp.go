package nn

import (
	"math"

	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// SubLogSumExp computes dst[i] -= ln Σ exp x[i] for every row of x [T, n], and overwrites x.
func SubLogSumExp(dst []float64, x tensor.Mat, ws *tensor.Workspace) {
	task := tensor.Local[normalizing](ws)
	*task = normalizing{dst, x}
	ws.Pool.Run(x.Rows, task)
	*task = normalizing{}
}

// normalizing is the task of SubLogSumExp.
type normalizing struct {
	dst []float64
	x   tensor.Mat
}

// Do normalises a row.
func (t *normalizing) Do(i int) {
	row := t.x.Row(i)
	top := vec.Max(row)
	t.dst[i] -= float64(top) + math.Log(float64(vec.ExpSum(row, row, 1, top)))
}
