// Package kernels is the registry of the engine's assembly implementations and the home of
// the arithmetic that every portable kernel shares.
//
// Each sub-package holds one kind of mathematics: flat slices in, flat slices out, destination
// first, no allocation, no goroutine. An exported kernel checks lengths once, in Go, and then
// dispatches by a chain of package bools to AVX-512, AVX-VNNI, AVX2, NEON or portable Go.
//
// # One result
//
// A SIMD lane always holds a different output, never a partial sum of one, and every kernel
// spells out the one order in which an output accumulates. All implementations follow it with
// the same correctly rounded operations, so portable Go, AVX2, AVX-512 and NEON give the same bits.
// The true reductions (norms, softmax sums) use sixteen partial sums and one fixed tree: see
// [Tree16].
package kernels

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Implementation is one assembly implementation of a kernel.
type Implementation struct {
	Kernel    string // family and function, e.g. "vec.Exp"
	ISA       string // "AVX2", "AVXVNNI", "AVX512", "AVX512VNNI", "AVX512BF16", "NEON", "NEONDOT"
	Supported bool   // whether this machine can run it
	use       *bool
}

// Enabled reports whether the dispatch chain considers the implementation now.
func (i Implementation) Enabled() bool { return *i.use }

// registry is written by the init functions of the kernel packages and then only read.
var registry struct {
	sync.Mutex
	list []Implementation
}

// isaRank orders instruction sets from the narrowest; the portable code is rank 0.
var isaRank = map[string]int{"portable": 0, "NEON": 1, "NEONDOT": 2, "AVX2": 1, "AVXVNNI": 2, "AVX512": 3, "AVX512VNNI": 4, "AVX512BF16": 5}

// Wider reports whether the implementation's instruction set is wider than isa, of the same architecture or "portable".
func (i Implementation) Wider(isa string) bool { return isaRank[i.ISA] > isaRank[isa] }

// Register records an assembly implementation and the flag by which its kernel dispatches to
// it; the flag's value at this moment says whether the machine supports it. It panics if the
// instruction set is unknown or the pair is registered already.
func Register(kernel, isa string, use *bool) {
	registry.Lock()
	defer registry.Unlock()
	if _, ok := isaRank[isa]; !ok {
		panic("kernels.Register: " + kernel + ": unknown instruction set " + isa)
	}
	for _, i := range registry.list {
		if i.Kernel == kernel && i.ISA == isa {
			panic("kernels.Register: " + kernel + " " + isa + ": registered twice")
		}
	}
	registry.list = append(registry.list, Implementation{kernel, isa, *use, use})
}

// Implementations lists what is registered, by kernel, then from the narrowest instruction set.
func Implementations() []Implementation {
	registry.Lock()
	defer registry.Unlock()
	list := slices.Clone(registry.list)
	slices.SortFunc(list, func(a, b Implementation) int {
		if c := strings.Compare(a.Kernel, b.Kernel); c != 0 {
			return c
		}
		return isaRank[a.ISA] - isaRank[b.ISA]
	})
	return list
}

// Limit switches off every implementation wider than isa and switches the supported rest on.
// "portable" leaves only Go code. It must not run beside a computation. The error names the
// instruction sets that exist.
func Limit(isa string) error {
	rank, ok := isaRank[isa]
	if !ok {
		return fmt.Errorf("kernels: unknown instruction set %q: want portable, AVX2, AVXVNNI, AVX512, AVX512VNNI, AVX512BF16, NEON or NEONDOT", isa)
	}
	registry.Lock()
	defer registry.Unlock()
	for _, i := range registry.list {
		*i.use = i.Supported && isaRank[i.ISA] <= rank
	}
	return nil
}

// Select makes a kernel use exactly one of its implementations ("portable" for the Go code) and
// returns a function that restores what was. It is for tests and must not run beside a
// computation; it panics if the machine does not support the implementation.
func Select(kernel, isa string) (restore func()) {
	registry.Lock()
	defer registry.Unlock()
	var flags []*bool
	var was []bool
	found := isa == "portable"
	for _, i := range registry.list {
		if i.Kernel != kernel {
			continue
		}
		flags, was = append(flags, i.use), append(was, *i.use)
		*i.use = i.ISA == isa
		if i.ISA == isa {
			found = i.Supported
		}
	}
	restore = func() {
		for n, f := range flags {
			*f = was[n]
		}
	}
	if !found {
		restore()
		panic("kernels.Select: " + kernel + ": no usable implementation " + isa)
	}
	return restore
}
