package tensor

import "unsafe"

// heapBytes returns n zero bytes of the Go heap, aligned to 64, which the collector does not scan.
func heapBytes(n int) []byte {
	b := make([]byte, n+63)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & 63
	return b[skip : skip+n : skip+n]
}

// view returns bytes as elements in the machine's own byte order. The bytes must be aligned to
// the element.
func view[E float32 | uint16 | uint32](b []byte) []E {
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(*new(E))))
}

// LittleEndian returns the bytes of x in memory where that is their little-endian form, so that
// files can be written from and read into x without a copy; nil on a big-endian machine.
func LittleEndian(x []float32) []byte {
	if one := uint16(1); *(*byte)(unsafe.Pointer(&one)) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}
