//go:build unix

package loader

import (
	"errors"
	"os"
	"syscall"
)

// mapFile maps the first size bytes of f, read-only. The mapping outlives f.
func mapFile(f *os.File, size int) (data []byte, unmap func() error, err error) {
	data, err = syscall.Mmap(int(f.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err == syscall.ENODEV { // the file system has no mappings
		err = errors.ErrUnsupported
	}
	if err != nil {
		return nil, nil, err
	}
	return data, func() error { return syscall.Munmap(data) }, nil
}
