package tensor

import "unsafe"

// heapBytes returns n zero bytes of the Go heap, aligned to 64, which the collector does not scan.
func heapBytes(n int) []byte {
	b := make([]byte, n+63)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & 63
	return b[skip : skip+n : skip+n]
}
