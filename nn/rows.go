package nn

import (
	"github.com/mminfer/mminfer/kernels/norm"
	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// Norm is a norm over rows, or over groups of len(Weight) columns of them: a root-mean-square
// norm, or with Layer a layer norm. Without Weight it is no norm at all.
type Norm struct {
	Weight []float32 // [D]
	Eps    float32
	Layer  bool      // take the mean away first
	Bias   []float32 // [D] of a layer norm, nil for none
}

// Apply computes dst = x / √(mean(x²) + Eps) · Weight row by row, [T, D]. dst may be x.
func (n Norm) Apply(dst, x tensor.Mat, ws *tensor.Workspace) {
	op := opRMS
	if n.Layer {
		op = opLayer
	}
	rowwise(ws, rows{op: op, dst: dst, a: x, weight: n.Weight, bias: n.Bias, eps: n.Eps})
}

// add computes x += y.
func add(x, y tensor.Mat, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opAdd, dst: x, a: x, b: y})
}

// axpy computes x += s·y.
func axpy(x tensor.Mat, s float32, y tensor.Mat, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opAxpy, dst: x, b: y, factor: s})
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
	rowwise(ws, rows{op: opGate, dst: x, a: x, b: gate, act: Sigmoid})
}

// Activate computes x = f(x).
func Activate(x tensor.Mat, f Activation, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opActivate, dst: x, act: f})
}

// GELUMul computes dst = GELU(gate) · up. dst may be gate.
func GELUMul(dst, gate, up tensor.Mat, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opGELUMul, dst: dst, a: gate, b: up})
}

// AddGated computes x += y·w, and overwrites y.
func AddGated(x, y tensor.Mat, w []float32, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opAddGated, dst: x, b: y, weight: w})
}

// Concat lays the rows of a and b side by side, dst [T, columns of both].
func Concat(dst, a, b tensor.Mat, ws *tensor.Workspace) {
	rowwise(ws, rows{op: opConcat, dst: dst, a: a, b: b})
}

// rowOp is an operation that treats every row alone.
type rowOp uint8

const (
	opRMS      rowOp = iota // dst = RMS(a) · weight, in groups of len(weight) columns
	opLayer                 // dst = (a - mean a) / deviation · weight + bias
	opAdd                   // dst = a + b
	opSub                   // dst = a - b
	opAxpy                  // dst += factor · b
	opScale                 // dst = factor · a
	opBias                  // dst = a + weight
	opSiLUMul               // dst = SiLU(a) · b
	opGELUMul               // dst = GELU(a) · b
	opActivate              // dst = act(dst)
	opGate                  // dst = act(b) · a; b is overwritten
	opLerp                  // dst = a + b · weight
	opMixed                 // dst = a + b · (dst + weight)
	opWeigh                 // dst = a · weight
	opAddGated              // dst += b · weight; b is overwritten
	opConcat                // dst = a, then b
	opGatedRMS              // dst = gatedRMS(dst, a)
)

// rows is the task of a row operation.
type rows struct {
	op           rowOp
	act          Activation
	dst, a, b    tensor.Mat
	weight, bias []float32
	eps, factor  float32
	groups       int  // of opGatedRMS
	first        bool // the norm of opGatedRMS comes first
	grain        int  // rows in a part
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
		dst := r.dst.Row(i)
		switch r.op {
		case opRMS:
			norm.RMS(dst, r.a.Row(i), r.weight, r.eps)
		case opLayer:
			layerNorm(dst, r.a.Row(i), r.weight, r.bias, r.eps)
		case opAdd:
			vec.Add(dst, r.a.Row(i), r.b.Row(i))
		case opAxpy:
			vec.Axpy(dst, r.factor, r.b.Row(i))
		case opScale:
			vec.Scale(dst, r.factor, r.a.Row(i))
		case opBias:
			vec.Add(dst, r.a.Row(i), r.weight)
		case opSub:
			vec.Scale(dst, -1, r.b.Row(i))
			vec.Add(dst, dst, r.a.Row(i))
		case opSiLUMul:
			vec.SiLUMul(dst, r.a.Row(i), r.b.Row(i))
		case opGELUMul:
			vec.GELU(dst, r.a.Row(i))
			vec.Mul(dst, dst, r.b.Row(i))
		case opActivate:
			r.act.Apply(dst)
		case opGate:
			gate(dst, r.a.Row(i), r.b.Row(i), r.act)
		case opLerp:
			vec.Mul(dst, r.b.Row(i), r.weight)
			vec.Add(dst, dst, r.a.Row(i))
		case opMixed:
			vec.Add(dst, dst, r.weight)
			vec.Mul(dst, dst, r.b.Row(i))
			vec.Add(dst, dst, r.a.Row(i))
		case opWeigh:
			vec.Mul(dst, r.a.Row(i), r.weight)
		case opAddGated:
			vec.Mul(r.b.Row(i), r.b.Row(i), r.weight)
			vec.Add(dst, dst, r.b.Row(i))
		case opConcat:
			copy(dst, r.a.Row(i))
			copy(dst[r.a.Cols:], r.b.Row(i))
		case opGatedRMS:
			gatedRMS(dst, r.a.Row(i), r.weight, r.eps, r.groups, r.first)
		}
	}
}

// layerNorm computes a layer norm over the row, or over groups of it if that is what weight covers.
func layerNorm(dst, x, weight, bias []float32, eps float32) {
	norm.Center(dst, x, len(weight))
	norm.RMS(dst, dst, weight, eps)
	if bias != nil {
		vec.Add(dst, dst, bias)
	}
}

// gate computes dst = act(g) · x and overwrites g.
func gate(dst, x, g []float32, act Activation) {
	if act == SiLU {
		vec.SiLUMul(dst, g, x)
		return
	}
	act.Apply(g)
	vec.Mul(dst, g, x)
}
