package dense

import (
	"fmt"
	"slices"

	gorgonia "gorgonia.org/tensor"

	"github.com/mminfer/mminfer/kernels/vec"
	"github.com/mminfer/mminfer/tensor"
)

// SoftMax returns e^xᵢ / Σ e^xⱼ along an axis; a negative axis counts from the last. The result is
// a new tensor, the one given by WithReuse (of the same shape), or with UseUnsafe x itself. A line
// of -Inf alone, or with a NaN, becomes NaN. Types other than float32 go to StdEng. It returns an
// error if there is no such axis, for WithIncr, or if the result's shape differs.
func (e *Engine) SoftMax(x gorgonia.Tensor, axis int, opts ...gorgonia.FuncOpt) (gorgonia.Tensor, error) {
	if float32s(x) == nil {
		return e.StdEng.SoftMax(x, axis, opts...)
	}
	return e.softmax("SoftMax", x, axis, false, opts)
}

// LogSoftMax returns xᵢ - ln Σ e^xⱼ along an axis; otherwise as [Engine.SoftMax].
func (e *Engine) LogSoftMax(x gorgonia.Tensor, axis int, opts ...gorgonia.FuncOpt) (gorgonia.Tensor, error) {
	if float32s(x) == nil {
		return e.StdEng.LogSoftMax(x, axis, opts...)
	}
	return e.softmax("LogSoftMax", x, axis, true, opts)
}

func (e *Engine) softmax(op string, x gorgonia.Tensor, axis int, log bool, opts []gorgonia.FuncOpt) (gorgonia.Tensor, error) {
	src, err := layoutOf(x)
	if err != nil {
		return nil, fmt.Errorf("dense: %s: %w", op, err)
	}
	dims := len(src.shape)
	if axis < -dims || axis >= dims {
		return nil, fmt.Errorf("dense: %s: axis %d of %v: want one from %d to %d", op, axis, src.shape, -dims, dims-1)
	}
	result, err := e.result(x, opts)
	if err != nil {
		return nil, fmt.Errorf("dense: %s: %w", op, err)
	}
	dst, err := layoutOf(result)
	switch {
	case err != nil:
		return nil, fmt.Errorf("dense: %s: result: %w", op, err)
	case !slices.Equal(dst.shape, src.shape):
		return nil, fmt.Errorf("dense: %s: result %v: want %v", op, dst.shape, src.shape)
	case &dst.data[0] == &src.data[0] && slices.Equal(dst.strides, src.strides):
		// In place: a line is read before it is written.
	case overlap(result, x):
		return nil, fmt.Errorf("dense: %s: result overlaps its input; want the same tensor or another one", op)
	}
	ws := e.workspace()
	mark := ws.Mark()
	s := tensor.Local[softmax](ws)
	*s = softmax{dst: dst, src: src, axis: (axis + dims) % dims, log: log}
	s.run(ws)
	*s = softmax{}
	ws.Release(mark)
	e.workspaces.Put(ws)
	return result, nil
}

// result returns the tensor that the options choose for a function of x.
func (e *Engine) result(x gorgonia.Tensor, opts []gorgonia.FuncOpt) (gorgonia.Tensor, error) {
	o := gorgonia.ParseFuncOpts(opts...)
	switch {
	case o.Incr() != nil:
		return nil, fmt.Errorf("WithIncr: not supported; add the result")
	case o.Reuse() != nil:
		return o.Reuse(), nil
	case !o.Safe():
		return x, nil
	}
	return gorgonia.New(gorgonia.WithShape(x.Shape()...), gorgonia.Of(gorgonia.Float32), gorgonia.WithEngine(e)), nil
}

// softmax is the task of one softmax: its parts are groups of lines along the axis.
type softmax struct {
	dst, src layout
	axis     int
	log      bool
	lines    int       // lines in all
	group    int       // lines of a part
	scratch  []float32 // two lines for each part
}

// serialExp is the number of exponentials below which sharing costs more than it saves.
const serialExp = 1 << 13

func (s *softmax) run(ws *tensor.Workspace) {
	s.lines = 1
	for i, n := range s.src.shape {
		if i != s.axis {
			s.lines *= n
		}
	}
	n := s.src.shape[s.axis]
	pool := ws.Pool
	if s.lines*n < serialExp {
		pool = nil
	}
	parts := min(s.lines, pool.Threads()*partsPerThread)
	s.group = (s.lines + parts - 1) / parts
	s.scratch = ws.Floats(2 * parts * n)
	pool.Run(parts, s)
}

// Do computes some lines, each in scratch memory.
func (s *softmax) Do(part int) {
	n := s.src.shape[s.axis]
	line, exp := s.scratch[2*part*n:(2*part+1)*n], s.scratch[(2*part+1)*n:(2*part+2)*n]
	from, to := s.src.strides[s.axis], s.dst.strides[s.axis]
	for i := part * s.group; i < min((part+1)*s.group, s.lines); i++ {
		src, dst := s.offsets(i)
		for j := range line {
			line[j] = s.src.data[src+j*from]
		}
		normalize(line, exp, s.log)
		for j, v := range line {
			s.dst.data[dst+j*to] = v
		}
	}
}

// offsets returns where line i begins in src and in dst.
func (s *softmax) offsets(i int) (src, dst int) {
	for axis, n := range slices.Backward(s.src.shape) {
		if axis != s.axis {
			src += i % n * s.src.strides[axis]
			dst += i % n * s.dst.strides[axis]
			i /= n
		}
	}
	return src, dst
}

// normalize replaces x by its softmax or the logarithm of it; exp is scratch memory.
func normalize(x, exp []float32, log bool) {
	m := vec.Max(x)
	sum := vec.ExpSum(exp, x, 1, m)
	if !log {
		vec.Scale(x, 1/sum, exp)
		return
	}
	l := [1]float32{sum}
	vec.Log(l[:], l[:])
	for i, v := range x {
		x[i] = v - m - l[0]
	}
}
