package models

import (
	"slices"

	"github.com/mminfer/mminfer/nn"
	"github.com/mminfer/mminfer/tensor"
)

// State is what a model remembers of one sequence. Its only cursor is the number of tokens
// absorbed. It is data: copies are independent timelines.
type State struct {
	model *Model
	pos   int
	slab  []float32 // the fixed numbers of all blocks, in order
	at    []int     // where each block's begin, and their end
	kv    []*nn.KV  // per block; nil for blocks without
}

// NewState returns the state before the first token.
func (m *Model) NewState() *State {
	s := &State{model: m, at: make([]int, 1, len(m.specs)+1), kv: make([]*nn.KV, len(m.specs))}
	for i, spec := range m.specs {
		s.at = append(s.at, s.at[i]+spec.Floats)
		if spec.KV.Heads > 0 {
			s.kv[i] = nn.NewKV(spec.KV)
		}
	}
	s.slab = tensor.Floats(s.at[len(m.specs)])
	return s
}

// Pos returns the number of tokens absorbed.
func (s *State) Pos() int { return s.pos }

// share is block i's part of the state.
func (s *State) share(i int) nn.State {
	return nn.State{Floats: s.slab[s.at[i]:s.at[i+1]], KV: s.kv[i]}
}

// Clone returns an independent copy. Pages of keys and values are shared until one side writes.
func (s *State) Clone() *State {
	c := *s
	c.slab = tensor.Floats(len(s.slab))
	copy(c.slab, s.slab)
	c.kv = cloneKV(s.kv)
	return &c
}

// CopyFrom makes s a copy of another state of the same model, without allocating its fixed part
// anew. It panics if the models differ.
func (s *State) CopyFrom(from *State) {
	if s.model != from.model {
		panic("models.CopyFrom: states of different models")
	}
	s.pos = from.pos
	copy(s.slab, from.slab)
	s.kv = cloneKV(from.kv)
}

func cloneKV(kv []*nn.KV) []*nn.KV {
	c := slices.Clone(kv)
	for i := range c {
		if c[i] != nil {
			c[i] = c[i].Clone()
		}
	}
	return c
}

// Truncate forgets the tokens from position n on and reports true, or changes nothing and reports
// false: there are fewer, a recurrence has absorbed them, or what is needed has left a window. The
// state then holds the numbers of one that never absorbed them.
func (s *State) Truncate(n int) bool {
	if n < 0 || n > s.pos || n < s.pos && len(s.slab) > 0 {
		return false
	}
	for _, kv := range s.kv {
		if kv != nil && !kv.CanTruncate(n) {
			return false
		}
	}
	for _, kv := range s.kv {
		if kv != nil {
			kv.Truncate(n)
		}
	}
	s.pos = n
	return true
}

// Skip advances by n tokens without computing them: recurrences keep what they hold, and keys and
// values are zero. What then follows has the cost of that depth and no meaning: it is for measuring.
func (s *State) Skip(n int) {
	for _, kv := range s.kv {
		if kv != nil {
			kv.Skip(n)
		}
	}
	s.pos += n
}

// Truncates reports whether the states of a model can be cut at any position: there is nothing but
// softmax attention without windows.
func (m *Model) Truncates() bool {
	for _, spec := range m.specs {
		if spec.Floats > 0 || spec.KV.Window > 0 {
			return false
		}
	}
	return true
}

// Reserve makes room for n more tokens, so that absorbing them does not allocate.
func (s *State) Reserve(n int) {
	for _, kv := range s.kv {
		if kv != nil {
			kv.Reserve(n)
		}
	}
}

// Bytes returns the memory the state takes by itself.
func (s *State) Bytes() int64 {
	n := int64(4 * len(s.slab))
	for _, kv := range s.kv {
		if kv != nil {
			n += kv.Bytes()
		}
	}
	return n
}
