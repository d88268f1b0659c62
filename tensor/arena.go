package tensor

// Arena owns the memory of a model's packed weights, outside the garbage-collected heap where
// the system has a way to map memory. Free returns all of it; the weights must not be used any
// more. The zero value is ready.
type Arena struct {
	maps [][]byte
	size int64
}

// mapped is the size from which a mapping of its own is worth its pages.
const mapped = 1 << 20

// Bytes returns n zero bytes, aligned to 64. The arena serves one caller at a time.
func (a *Arena) Bytes(n int) []byte {
	a.size += int64(n)
	if n >= mapped {
		if m := mapMemory(n); m != nil {
			a.maps = append(a.maps, m)
			return m[:n:n]
		}
	}
	return heapBytes(n)
}

// Adopt takes over what another arena handed out, which is empty then.
func (a *Arena) Adopt(from *Arena) {
	a.maps, a.size = append(a.maps, from.maps...), a.size+from.size
	*from = Arena{}
}

// Size returns the bytes handed out.
func (a *Arena) Size() int64 { return a.size }

// Free unmaps the arena's memory.
func (a *Arena) Free() {
	for _, m := range a.maps {
		unmapMemory(m)
	}
	a.maps, a.size = nil, 0
}
