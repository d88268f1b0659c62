//go:build linux || darwin

package tensor

import "syscall"

// mapMemory returns zeroed pages, nil if there are none to be had.
func mapMemory(n int) []byte {
	m, err := syscall.Mmap(-1, 0, n, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	hugePages(m)
	return m
}

func unmapMemory(m []byte) {
	// The only error is a range that is no mapping, which cannot be.
	_ = syscall.Munmap(m)
}
