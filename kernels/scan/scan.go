// Package scan holds the recurrences of state-space models, whose states decay and take in one
// number a channel at every token: Mamba's selective scan and Mamba-2's state-space duality (SSD).
//
// The channels of a state never meet, so kernels put channels in SIMD lanes and callers may cut
// them over workers. A state of some channels with N entries each lies in panels of [Lanes]
// channels, [⌈channels/16⌉, N, 16]: what a pass over a panel reads is contiguous. Lanes beyond the
// channels are computed with inputs of 0 and stay 0.
//
// Every sum over n is one chain of fused multiply-adds in the order of n. The bits depend neither
// on how a sequence is cut into calls nor on how channels are.
package scan

import "fmt"

// Lanes is the number of channels in a panel.
const Lanes = 16

// Panels returns the number of panels of so many channels.
func Panels(channels int) int { return (channels + Lanes - 1) / Lanes }

// StateLen returns the length of the state of so many channels with n entries each.
func StateLen(channels, n int) int { return Panels(channels) * n * Lanes }

// holds panics unless n elements hold a matrix [rows, width] whose rows lie stride, at least
// least, apart.
func holds(name string, n, rows, width, stride, least int) {
	if rows == 0 {
		return
	}
	if rows > 1 && stride < least {
		panic(fmt.Sprintf("scan.%s: stride %d, want at least %d", name, stride, least))
	}
	// Divided, not multiplied, so that no product overflows.
	if n < width || rows > 1 && stride > (n-width)/(rows-1) {
		panic(fmt.Sprintf("scan.%s: %d elements, too short for [%d, %d] with stride %d", name, n, rows, width, stride))
	}
}

// panels panics unless n elements are those of a state.
func panels(name string, n, channels, entries int) {
	if n%Lanes != 0 || entries > 0 && n/Lanes/entries != Panels(channels) || n != StateLen(channels, entries) {
		panic(fmt.Sprintf("scan.%s: %d elements, want %d panels of %d times %d", name, n, Panels(channels), entries, Lanes))
	}
}
