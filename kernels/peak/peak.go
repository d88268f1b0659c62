// Package peak runs the processor at its limits, so that a kernel's speed can be given as a share
// of them. Each function does work that cannot run faster on one core: independent chains of
// fused multiply-adds or of integer dot products in registers, or loads alone.
package peak

// FMA runs n rounds of float32 fused multiply-adds and returns the floating-point operations
// done (two for each multiply-add of each lane).
func FMA(n int) int { return fma(n) }

// Dot8 runs n rounds of 8-bit (VNNI, NEON) or 16-bit (AVX2) integer dot products, as the 8-bit
// matrix product does, and returns the operations done (two for each multiply-add).
func Dot8(n int) int { return dot8(n) }

// Read loads every cache line of b once, in order.
func Read(b []byte) { read(b) }

// sink keeps the portable loops from being optimised away.
var sink float32

func fmaGeneric(n int) int {
	x := sink
	for range n {
		x = x*0.999 + 1
	}
	sink = x
	return 2 * n
}

func dot8Generic(n int) int {
	x := int32(sink)
	for i := range n {
		x += int32(int8(i)) * int32(int8(x))
	}
	sink = float32(x)
	return 2 * n
}

func readGeneric(b []byte) {
	var x byte
	for i := 0; i < len(b); i += 64 {
		x += b[i]
	}
	sink = float32(x)
}
