package nn

import (
	"github.com/mminfer/mminfer/kernels/norm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// Norm is a root-mean-square norm over rows. Without Weight it is no norm at all.
type Norm struct {
	Weight []float32 // [D]
	Eps    float32
}

// Apply computes dst = x / √(mean(x²) + Eps) · Weight row by row, [T, D]. dst may be x.
func (n Norm) Apply(dst, x tensor.Mat, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opRMS, dst: dst, a: x, weight: n.Weight, eps: n.Eps})
}

// add computes x += y.
func add(x, y tensor.Mat, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opAdd, dst: x, a: x, b: y})
}

// axpy computes x += s·y.
func axpy(x tensor.Mat, s float32, y tensor.Mat, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opAxpy, dst: x, a: x, b: y, factor: s})
}

// Scale computes dst = s·x row by row. dst may be x.
func Scale(dst tensor.Mat, s float32, x tensor.Mat, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opScale, dst: dst, a: x, factor: s})
}

// addBias adds b to every row of x.
func addBias(x tensor.Mat, b []float32, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opBias, dst: x, a: x, weight: b})
}

// siluMul computes dst = SiLU(gate) · up.
func siluMul(dst, gate, up tensor.Mat, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opSiLUMul, dst: dst, a: gate, b: up})
}

// sigmoidMul computes x ← x · σ(gate), and overwrites gate.
func sigmoidMul(x, gate tensor.Mat, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opSigmoidMul, dst: x, a: x, b: gate})
}

// rowOp is an operation that treats every row alone.
type rowOp uint8

const (
	opRMS        rowOp = iota // dst = RMS(a) · weight, in groups of len(weight) columns
	opAdd                     // dst = a + b
	opAxpy                    // dst += factor · b
	opScale                   // dst = factor · a
	opBias                    // dst = a + weight
	opSiLUMul                 // dst = SiLU(a) · b
	opWeigh                   // dst = a · weight
	opGatedRMS                // dst = gatedRMS(dst, a)
	opSigmoidMul              // dst = a · σ(b), b = σ(b)
)

// rows is the task of a row operation.
type rows struct {
	op        rowOp
	dst, a, b tensor.Mat
	weight    []float32
	eps       float32
	factor    float32
	grain     int  // rows in a part
	groups    int  // of opGatedRMS
	first     bool // the norm of opGatedRMS comes first
}

// floatsPerPart is how many numbers a thread takes at a time: enough to outweigh a region's cost.
const floatsPerPart = 1 << 15

// rowwise runs a row operation on the workspace's pool.
func rowwise(ws *tensor.Workspace, r rows) {
	task := tensor.Local[rows](ws)
	*task = r
	task.grain = max(1, floatsPerPart/max(r.dst.Cols, 1))
	ws.Pool.Run((r.dst.Rows+task.grain-1)/task.grain, task)
	*task = rows{}
}

// Do runs the operation on one part's rows.
func (r *rows) Do(part int) {
	for i := part * r.grain; i < min((part+1)*r.grain, r.dst.Rows); i++ {
		dst, a := r.dst.Row(i), r.a.Row(i)
		switch r.op {
		case opRMS:
			norm.RMS(dst, a, r.weight, r.eps)
		case opAdd:
			vec.Add(dst, a, r.b.Row(i))
		case opAxpy:
			vec.Axpy(dst, r.factor, r.b.Row(i))
		case opScale:
			vec.Scale(dst, r.factor, a)
		case opBias:
			vec.Add(dst, a, r.weight)
		case opWeigh:
			vec.Mul(dst, r.a.Row(i), r.weight)
		case opGatedRMS:
			gatedRMS(dst, r.a.Row(i), r.weight, r.eps, r.groups, r.first)
		case opSiLUMul:
			vec.SiLUMul(dst, a, r.b.Row(i))
		case opSigmoidMul:
			b := r.b.Row(i)
			vec.Sigmoid(b, b)
			vec.Mul(dst, a, b)
		}
	}
}
