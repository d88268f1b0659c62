// Package vec holds elementwise kernels over float32 slices, and the reductions of a softmax:
// [Max] and [ExpSum].
//
// Every elementwise function treats each element alone, by one fixed sequence of correctly rounded
// operations (fused multiply-adds, true division), so an element's bits do not depend on its
// position, the length or the instruction set. All slices of a call have the same length;
// dst may be one of the inputs exactly, or not overlap it at all. Functions panic if the lengths
// disagree. NaN in gives NaN out.
//
// The exponential is reduced by Cody and Waite's method and evaluated with the polynomial of
// Cephes expf; the logarithm follows Cephes logf (S. Moshier, netlib cephes/single).
package vec

import "fmt"

// same panics unless every length is n.
func same(name string, n int, lengths ...int) {
	for _, l := range lengths {
		if l != n {
			panic(fmt.Sprintf("vec.%s: len(dst)=%d, but an input has %d", name, n, l))
		}
	}
}
