package kerneltest

import (
	"fmt"
	"math"
	"unsafe"
)

// Element is what kernels take slices of.
type Element interface {
	float32 | int8 | uint8 | int16 | uint16 | int32 | uint32
}

// watched is a buffer with the values it must still hold (inputs) or must no longer hold (outputs).
type watched[E Element] struct {
	whole  []E // fence, body, fence
	body   []E
	before []E // a copy of the input, nil for an output
	write  bool
	fresh  bool // a pure output, which must be wholly written
}

// In returns a fenced copy of values that the kernel must not change.
func In[E Element](h *H, values []E) []E {
	w := place(h, values)
	w.before = append([]E(nil), values...)
	h.buffers = append(h.buffers, w)
	return w.body
}

// Out returns n fenced elements, filled with a pattern that must not remain.
func Out[E Element](h *H, n int) []E {
	w := place(h, make([]E, n))
	for i := range w.body {
		w.body[i] = pattern[E]()
	}
	w.write, w.fresh = true, true
	h.buffers = append(h.buffers, w)
	return w.body
}

// InOut returns a fenced copy of values that the kernel reads and writes.
func InOut[E Element](h *H, values []E) []E {
	w := place(h, values)
	w.write = true
	h.buffers = append(h.buffers, w)
	return w.body
}

// place copies values between fences, or to the end of a guarded page.
func place[E Element](h *H, values []E) *watched[E] {
	n := len(values)
	if h.guarded {
		if mem := h.arena.take(n * int(unsafe.Sizeof(*new(E)))); mem != nil {
			body := unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(mem))), n)
			copy(body, values)
			return &watched[E]{whole: nil, body: body[:n:n]}
		}
	}
	whole := make([]E, n+2*fence)
	for i := range whole {
		whole[i] = pattern[E]()
	}
	body := whole[fence : fence+n : fence+n]
	copy(body, values)
	return &watched[E]{whole: whole, body: body}
}

// pattern is the fill of fences and of outputs not yet written: a NaN for floats, and for
// integers the low bits of the same pattern.
func pattern[E Element]() E {
	var e E
	switch p := any(&e).(type) {
	case *float32:
		*p = math.Float32frombits(hole)
	case *uint32:
		*p = hole
	case *int32:
		*p = hole
	case *uint16:
		*p = hole & 0xffff
	case *int16:
		u := uint16(hole & 0xffff)
		*p = int16(u)
	case *uint8:
		*p = hole & 0xff
	case *int8:
		u := uint8(hole & 0xff)
		*p = int8(u)
	}
	return e
}

// bits widens one element to the form that records keep.
func bits[E Element](e E) uint32 {
	if f, ok := any(e).(float32); ok {
		return math.Float32bits(f)
	}
	return uint32(e)
}

func (w *watched[E]) intact() string {
	p := bits(pattern[E]())
	for i := range w.whole {
		if i >= fence && i < fence+len(w.body) {
			continue
		}
		if bits(w.whole[i]) != p {
			return fmt.Sprintf("smashed at [%d] of %d", i-fence, len(w.body))
		}
	}
	for i, b := range w.before {
		if bits(w.body[i]) != bits(b) {
			return fmt.Sprintf("input changed at [%d] of %d", i, len(w.body))
		}
	}
	// A byte or a 16-bit value may equal the pattern by right.
	if w.fresh && unsafe.Sizeof(*new(E)) == 4 {
		for i, e := range w.body {
			if bits(e) == p {
				return fmt.Sprintf("output not written at [%d] of %d", i, len(w.body))
			}
		}
	}
	return ""
}

// output returns the bits written, nil for an input.
func (w *watched[E]) output() []uint32 {
	if !w.write {
		return nil
	}
	out := make([]uint32, len(w.body))
	for i, e := range w.body {
		out[i] = bits(e)
	}
	return out
}
