package loader

import (
	"os"
	"syscall"
	"unsafe"
)

// releasePages takes the whole pages of data, a part of a mapped file, out of this process's memory. They are read again
// when they are touched.
func releasePages(data []byte) {
	page := os.Getpagesize()
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(data)))) & (page - 1)
	if n := (len(data) - skip) &^ (page - 1); n > 0 {
		_ = syscall.Madvise(data[skip:skip+n], syscall.MADV_DONTNEED) // advice: a refusal costs memory only
	}
}
