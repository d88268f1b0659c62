package tensor

import "unsafe"

// Workspace is scratch memory for one computation at a time: a stack of float32 from which
// callers take slices between Mark and Release. It grows to what the largest computation needs
// and then allocates no more. The zero value is ready and computes on the calling goroutine
// alone; set Pool to share work.
type Workspace struct {
	Pool *Pool
	// Watch, if not nil, is shown the operands of every [MatMul]. What it is shown is not its own.
	Watch func(w *Weight, x Mat)

	chunks [][]float32
	chunk  int // the chunk in use
	used   int // floats taken from it
	held   int // floats taken from all
	most   int // that were held at a time
	locals []any
}

// Mark is a position of a [Workspace] to release to.
type Mark struct{ chunk, used, held int }

// roomFloats bounds the memory that is taken before it is needed.
const roomFloats = 1 << 22

// alignment is the granularity of slices in floats: 64 bytes, a cache line and a ZMM register.
const alignment = 16

// Mark returns the current position.
func (w *Workspace) Mark() Mark { return Mark{w.chunk, w.used, w.held} }

// Release gives back everything taken since m. Slices taken since must not be used any more.
func (w *Workspace) Release(m Mark) {
	w.chunk, w.used, w.held = m.chunk, m.used, m.held
	if m == (Mark{}) && len(w.chunks) > 1 {
		// All is free: one chunk instead of several serves the next computation without a gap.
		var total int
		for _, c := range w.chunks {
			total += len(c)
		}
		w.chunks = [][]float32{Floats(min(total, w.most+roomFloats))}
	}
}

// Floats returns n floats of unspecified value.
func (w *Workspace) Floats(n int) []float32 {
	need := (n + alignment - 1) / alignment * alignment
	w.held += need
	w.most = max(w.most, w.held)
	for ; w.chunk < len(w.chunks); w.chunk, w.used = w.chunk+1, 0 {
		if c := w.chunks[w.chunk]; w.used+need <= len(c) {
			s := c[w.used : w.used+n : w.used+n]
			w.used += need
			return s
		}
	}
	size := max(need, 1<<16)
	if len(w.chunks) > 0 {
		size = max(size, min(2*len(w.chunks[len(w.chunks)-1]), roomFloats))
	}
	w.chunks = append(w.chunks, Floats(size))
	w.used = need
	return w.chunks[w.chunk][:n:n]
}

// Mat returns a matrix of unspecified values. Its rows begin on cache lines and are an odd number
// of them apart: rows that a product reads side by side then do not compete for the same lines.
func (w *Workspace) Mat(rows, cols int) Mat {
	stride := cols
	if rows > 1 {
		stride = ((cols+alignment-1)/alignment | 1) * alignment
	}
	return Mat{rows, cols, stride, w.Floats(rows * stride)}
}

// Ints returns n int32 of unspecified value.
func (w *Workspace) Ints(n int) []int32 { return scratch[int32](w, n) }

// scratch returns n elements of an integer type of at most 4 bytes.
func scratch[E int8 | int16 | int32](w *Workspace, n int) []E {
	var e E
	f := w.Floats((n*int(unsafe.Sizeof(e)) + 3) / 4)
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(f))), n)
}

// Local returns the workspace's own *T, made on first use: a place for the tasks of a
// computation, which a pool takes by pointer, that is not allocated for each.
func Local[T any](w *Workspace) *T {
	for _, l := range w.locals {
		if t, ok := l.(*T); ok {
			return t
		}
	}
	t := new(T)
	w.locals = append(w.locals, t)
	return t
}
