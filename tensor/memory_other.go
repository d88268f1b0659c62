//go:build !linux && !darwin

package tensor

// mapMemory returns nil: weights then live on the heap.
func mapMemory(int) []byte { return nil }

func unmapMemory([]byte) {}

func hugePages([]byte) {}
