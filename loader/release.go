package loader

import (
	"unsafe"

	"github.com/mminfer/mminfer/tensor"
)

// Release gives back the memory that a tensor's data take as a part of a mapped file: they are read again when somebody
// looks at them. It does nothing to data that lie elsewhere, nor where the system knows no such thing.
func (c *Checkpoint) Release(t tensor.Tensor) {
	for _, m := range c.mapped {
		if within(t.Data, m) {
			releasePages(t.Data)
		}
	}
}

// within reports whether part is a part of whole.
func within(part, whole []byte) bool {
	from, begin := uintptr(unsafe.Pointer(unsafe.SliceData(part))), uintptr(unsafe.Pointer(unsafe.SliceData(whole)))
	return len(part) > 0 && from >= begin && from-begin <= uintptr(len(whole)-len(part))
}
