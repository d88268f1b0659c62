package tensor

import (
	"fmt"
	"slices"
	"unsafe"
)

// heapBytes returns n zero bytes of the Go heap, aligned to 64, which the collector does not scan.
func heapBytes(n int) []byte {
	b := make([]byte, n+63)
	skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & 63
	return b[skip : skip+n : skip+n]
}

// Floats returns n zeros. Large blocks of memory that is fresh come in large pages where the
// system has them: touching it for the first time then costs a fraction.
func Floats(n int) []float32 {
	x := make([]float32, n)
	inHugePages(bytesOf(x))
	return x
}

// inHugePages asks for large pages in a large block.
func inHugePages(b []byte) {
	const huge = 2 << 20
	if n := len(b); n >= 4*huge {
		skip := -int(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) & (huge - 1)
		hugePages(b[skip : skip+(n-skip)&^(huge-1)])
	}
}

// Slab is memory in blocks, with large pages as [Floats] has them, from which numbers are cut.
type Slab struct {
	block int
	rest  []byte // of the last block
}

// NewSlab returns memory that grows by blocks of n bytes.
func NewSlab(n int) *Slab { return &Slab{block: n} }

// Cut returns the next n numbers, zeros, of a slab: a block lives as long as any of its numbers. A nil slab stands for
// memory of their own.
func Cut[E float32 | uint16 | int8](s *Slab, n int) []E {
	if s == nil {
		return make([]E, n)
	}
	size := n * int(unsafe.Sizeof(*new(E)))
	if len(s.rest) < size {
		s.rest = heapBytes(max(s.block, size))
		inHugePages(s.rest)
	}
	b := s.rest[:size:size]
	s.rest = s.rest[min((size+63)&^63, len(s.rest)):]
	return view[E](b)
}

// MapFloats returns n zeros outside the garbage-collected heap where the system has a way to map memory, and what gives
// them back. They must not be used any more then. It panics unless n is positive.
func MapFloats(n int) (x []float32, free func()) {
	if n < 1 {
		panic(fmt.Sprintf("tensor.MapFloats: %d", n))
	}
	if m := mapMemory(4 * n); m != nil {
		return view[float32](m[: 4*n : 4*n]), func() { unmapMemory(m) }
	}
	return Floats(n), func() {}
}

// view returns bytes as elements in the machine's own byte order. The bytes must be aligned to
// the element.
func view[E float32 | uint16 | uint32 | int8](b []byte) []E {
	return unsafe.Slice((*E)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(*new(E))))
}

// bitsOf returns the bits of numbers in their memory.
func bitsOf(x []float32) []uint32 {
	return unsafe.Slice((*uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x))
}

// bytesOf returns the bytes of numbers in their memory.
func bytesOf[E float32 | uint16 | uint32 | int8](x []E) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(*new(E))))
}

// LittleEndian returns the bytes of x in memory where that is their little-endian form, so that
// files can be written from and read into x without a copy; nil on a big-endian machine.
func LittleEndian[E float32 | uint16 | int8](x []E) []byte {
	if bigEndian() {
		return nil
	}
	return bytesOf(x)
}

// Float32s returns the elements of an F32 tensor in its own memory, where that holds them aligned and in
// the machine's byte order. They must not be modified.
func (t Tensor) Float32s() (x []float32, ok bool) {
	p := unsafe.Pointer(unsafe.SliceData(t.Data))
	if t.Type != F32 || uintptr(p)%4 != 0 || len(t.Data) == 0 || LittleEndian([]float32{1}) == nil {
		return nil, false
	}
	return unsafe.Slice((*float32)(p), len(t.Data)/4), true
}

// NotFinite returns the index of the first element that is NaN or infinite, -1 if there is none.
func NotFinite(x []float32) int {
	// An exponent of all ones carries into the sign bit; two elements are looked at together.
	const exponent, carry, sign = 0x7f8000007f800000, 0x0080000000800000, 0x8000000080000000
	var seen uint64
	pairs := unsafe.Slice((*[2]uint32)(unsafe.Pointer(unsafe.SliceData(x))), len(x)/2)
	for _, p := range pairs {
		seen |= (uint64(p[0])|uint64(p[1])<<32)&exponent + carry
	}
	if seen&sign == 0 && (len(x)%2 == 0 || x[len(x)-1]-x[len(x)-1] == 0) {
		return -1
	}
	for i, v := range x {
		if v-v != 0 {
			return i
		}
	}
	return -1
}

// NotFiniteHalf is [NotFinite] for numbers of 16 bits in FormatF16 or FormatBF16.
func NotFiniteHalf(x []uint16, f Format) int {
	exponent := uint16(0x7c00)
	if f == FormatBF16 {
		exponent = 0x7f80
	}
	const lanes, sign = 0x0001000100010001, 0x8000
	exponents, carry := lanes*uint64(exponent), lanes*uint64(exponent&-exponent) // four elements together
	var seen uint64
	quads := unsafe.Slice((*[4]uint16)(unsafe.Pointer(unsafe.SliceData(x))), len(x)/4)
	for _, q := range quads {
		seen |= (uint64(q[0])|uint64(q[1])<<16|uint64(q[2])<<32|uint64(q[3])<<48)&exponents + carry
	}
	isNot := func(v uint16) bool { return v&exponent == exponent }
	if seen&(lanes*sign) == 0 && !slices.ContainsFunc(x[4*len(quads):], isNot) {
		return -1
	}
	return slices.IndexFunc(x, isNot)
}
