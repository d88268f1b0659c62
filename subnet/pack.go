package subnet

import (
	"sync"

	"github.com/mminfer/mminfer/tensor"
)

// Weights holds the projections of a base in memory, heads and neurons in the order of the family's
// widths, for models of several shapes that share them. The zero value is ready; a first model of each
// format fills it. It serves one family. Free frees it, after all models that use it.
type Weights struct {
	mu    sync.Mutex
	arena tensor.Arena
	of    map[weightKey]*tensor.Weight
}

type weightKey struct {
	name   string // of the tensor in the base
	format tensor.Format
	cols   int // of the prefix whose last columns these are, which share no whole block; 0 for all
}

// Bytes returns the memory that the weights take.
func (w *Weights) Bytes() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.arena.Size()
}

// Free frees the weights.
func (w *Weights) Free() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.arena.Free()
	w.of = nil
}

// get returns a weight, packed by pack if it is not there.
func (w *Weights) get(key weightKey, pack func(arena *tensor.Arena) *tensor.Weight) *tensor.Weight {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.of[key]
	if !ok {
		if w.of == nil {
			w.of = map[weightKey]*tensor.Weight{}
		}
		p = pack(&w.arena)
		w.of[key] = p
	}
	return p
}

// Pack returns a projection, the head or a factor of a correction in the form of products. Factors
// keep float32 where the base's weights do, and 16 bits otherwise.
func (s *Subnet) Pack(arena *tensor.Arena, pool *tensor.Pool, format tensor.Format, t tensor.Tensor) *tensor.Weight {
	from := s.sources[t.Name]
	switch {
	case from.suffix == "weight":
		return s.packProjection(arena, pool, format, t, from)
	case from.suffix != "":
		return s.packFactor(arena, pool, t.Name)
	case s.opts.Weights == nil:
		return tensor.Pack(arena, pool, format, t)
	}
	return s.opts.Weights.get(weightKey{from.name, format, 0}, func(arena *tensor.Arena) *tensor.Weight {
		return tensor.Pack(arena, pool, format, t)
	})
}

// packProjection packs a projection, or takes its part of what all shapes share.
func (s *Subnet) packProjection(arena *tensor.Arena, pool *tensor.Pool, format tensor.Format, t tensor.Tensor, from source) *tensor.Weight {
	base := s.baseTensor(from)
	if !s.merged(from.place) {
		format = format.For(base.Type) // whatever the type of a copy
	}
	rows, cols := s.channels(from)
	halves := format == tensor.FormatBF16Dot && len(cols)%2 > 0 // whose columns are cut in pairs
	if s.opts.Weights == nil || !s.prefix(from) || halves {
		return tensor.Pack(arena, pool, format, s.materialise(t, from, pool))
	}
	whole := s.opts.Weights.get(weightKey{from.name, format, 0}, func(arena *tensor.Arena) *tensor.Weight {
		rows, cols := s.family.ordered(from.place)
		return tensor.Pack(arena, pool, format, gather(base, rows, cols, pool))
	})
	switch {
	case rows != nil:
		return whole.Prefix(len(rows), whole.Cols)
	case cols == nil:
		return whole
	case !format.Quantised() || len(cols) == whole.Cols:
		return whole.Prefix(whole.Rows, len(cols))
	}
	const block = 32 // columns that share a scale
	var tail *tensor.Weight
	if last := cols[len(cols)/block*block:]; len(last) > 0 {
		tail = s.opts.Weights.get(weightKey{from.name, format, len(cols)}, func(arena *tensor.Arena) *tensor.Weight {
			return tensor.Pack(arena, pool, format, gather(base, nil, last, pool))
		})
	}
	return whole.Trim(arena, pool, len(cols), tail)
}

// prefix reports whether what a subnet keeps of a projection comes first in the order of all widths.
func (s *Subnet) prefix(from source) bool {
	if from.place.name[0] == 'm' {
		return from.layer.nestedNeurons
	}
	return from.layer.nestedHeads
}

// ordered returns all rows or columns of a projection in the order of all widths, nil for as they are.
func (f *Family) ordered(at place) (rows, cols []int) {
	if f.orders == nil {
		return nil, nil
	}
	channels := f.orders[at.layer].neurons.order
	if at.name[0] == 's' {
		size := f.headDim
		if at.name != "self_attn.k_proj" && at.name != "self_attn.v_proj" {
			size *= f.Heads / f.keyHeads
		}
		channels = expand(f.orders[at.layer].heads.order, size)
	}
	if isMask(at.name) {
		return channels, nil
	}
	return nil, channels
}

// packFactor packs all factors on the first call: they are many and small.
func (s *Subnet) packFactor(arena *tensor.Arena, pool *tensor.Pool, name string) *tensor.Weight {
	if s.thin == nil {
		s.packFactors(arena, pool)
	}
	w := s.thin[name]
	if delete(s.thin, name); len(s.thin) == 0 {
		s.thin = nil
	}
	return w
}

func (s *Subnet) packFactors(arena *tensor.Arena, pool *tensor.Pool) {
	format := tensor.FormatBF16
	if s.opts.Format.For(s.family.matrix(0, "self_attn.q_proj").Type) == tensor.FormatF32 {
		format = tensor.FormatF32
	}
	var task thinning
	var names []string
	var shapes [][2]int
	for _, name := range s.names {
		if from := s.sources[name]; from.suffix == "low_rank_a" || from.suffix == "low_rank_b" {
			m := s.mixture(from)
			for r, step := 0, partRows(m.shape[1]); r < m.shape[0]; r += step {
				task.parts = append(task.parts, thinPart{len(names), r, min(step, m.shape[0]-r)})
			}
			task.from, names, shapes = append(task.from, m), append(names, name), append(shapes, m.shape)
		}
	}
	task.to = tensor.Blank(arena, format, shapes)
	pool.Run(len(task.parts), &task)
	s.thin = map[string]*tensor.Weight{}
	for i, name := range names {
		s.thin[name] = task.to[i]
	}
}

// partRows is how many rows of a factor a thread takes at a time: whole panels of some 16K numbers, which
// stay in the second-level cache.
func partRows(cols int) int {
	const panel = 16
	return panel * max(1, 1<<14/(panel*max(cols, 1)))
}

// thinning is the task of packing factors.
type thinning struct {
	from  []*mixture
	to    []*tensor.Weight
	parts []thinPart

	mu   sync.Mutex
	idle []*scratch // of threads
}

// thinPart is some panels of a factor.
type thinPart struct{ factor, first, rows int }

// borrow returns scratch that no thread uses.
func (t *thinning) borrow() *scratch {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(t.idle)
	if n == 0 {
		return new(scratch)
	}
	at := t.idle[n-1]
	t.idle = t.idle[:n-1]
	return at
}

func (t *thinning) giveBack(at *scratch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.idle = append(t.idle, at)
}

// Do packs some panels.
func (t *thinning) Do(i int) {
	part, at := t.parts[i], t.borrow()
	m := t.from[part.factor]
	rows := floats(&at.rows, part.rows*m.shape[1])
	m.fill(rows, part.first, at)
	t.to[part.factor].SetRows(part.first, rows)
	t.giveBack(at)
}
