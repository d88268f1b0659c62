//go:build linux || darwin

package kerneltest

import (
	"syscall"
	"testing"
)

const (
	guardPages = true
	slots      = 24
	slotSize   = 1 << 17
	pageSize   = 1 << 14 // a multiple of the page size of every supported machine
)

// arena is a mapping of slots, each followed by a page that cannot be touched.
type arena struct {
	mem  []byte
	next int
}

func newArena(t *testing.T) *arena {
	size := slots * (slotSize + pageSize)
	mem, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatalf("kerneltest: guard pages: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(mem); err != nil {
			t.Errorf("kerneltest: guard pages: %v", err)
		}
	})
	for i := range slots {
		end := (i + 1) * (slotSize + pageSize)
		if err := syscall.Mprotect(mem[end-pageSize:end], syscall.PROT_NONE); err != nil {
			t.Fatalf("kerneltest: guard pages: %v", err)
		}
	}
	return &arena{mem: mem}
}

// take returns n bytes that end where a guard page begins, or nil if no slot can hold them.
func (a *arena) take(n int) []byte {
	if n == 0 || n > slotSize || a.next == slots {
		return nil
	}
	end := a.next*(slotSize+pageSize) + slotSize
	a.next++
	return a.mem[end-n : end : end]
}
