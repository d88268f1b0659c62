// Instructions runs the hottest kernels and steps of decode, for a program that counts what they execute: see
// .ci/instructions.
//
//	instructions list                 # names
//	instructions write DIR            # writes the models
//	instructions call DIR NAME CALLS  # that many calls of one, with AVX2
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/kernels/delta"
	"github.com/mminfer/mminfer/kernels/gemm"
	"github.com/mminfer/mminfer/kernels/quant"
	"github.com/mminfer/mminfer/kernels/scan"
)

// Sizes of products, and of the states of recurrences. The tokens of a prompt are no multiple of a tile's.
const (
	rows, k = 128, 512
	prompt  = 40
	kdim    = 128
	vdim    = 64
)

// measured are the kernels: each with one token, as in decode, and with those of a prompt.
var measured = []struct {
	name   string
	kernel func(tokens int) (call func())
}{
	{"gemm.Q8", q8},
	{"gemm.BF16", bf16},
	{"delta.GatedRule", gatedRule},
	{"scan.SSDScan", ssdScan},
}

// names returns what can be called, and how it is made ready, given the models' directory.
func names() (names []string, ready map[string]func(dir string) (call func(), err error)) {
	ready = map[string]func(string) (func(), error){}
	add := func(name string, f func(string) (func(), error)) {
		names = append(names, name)
		ready[name] = f
	}
	for _, m := range measured {
		for _, tokens := range []int{1, prompt} {
			add(fmt.Sprintf("%s/tokens=%d", m.name, tokens), func(string) (func(), error) { return m.kernel(tokens), nil })
		}
	}
	for _, shape := range shapes {
		for _, sessions := range []int{1, 8} {
			add(fmt.Sprintf("decode/%s/sessions=%d", shape, sessions), func(dir string) (func(), error) { return decode(dir, shape, sessions) })
		}
	}
	return names, ready
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "instructions:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	names, ready := names()
	switch {
	case len(args) == 1 && args[0] == "list":
		for _, n := range names {
			fmt.Println(n)
		}
		return nil
	case len(args) == 2 && args[0] == "write":
		return write(context.Background(), args[1])
	case len(args) == 4 && args[0] == "call" && ready[args[2]] != nil:
		calls, err := strconv.Atoi(args[3])
		if err != nil {
			return err
		}
		if err := limit(); err != nil {
			return err
		}
		call, err := ready[args[2]](args[1])
		if err != nil {
			return err
		}
		grow(call)
		repeat(call, calls)
		return nil
	}
	return fmt.Errorf("found %q, expected list, write DIR, or call DIR NAME CALLS", args)
}

// grow calls once from a deeper frame than repeat's: counting ends where a stack is moved.
//
//go:noinline
func grow(call func()) {
	var frame [1 << 10]byte
	call()
	runtime.KeepAlive(&frame)
}

// repeat is what is counted.
//
//go:noinline
func repeat(call func(), calls int) {
	for range calls {
		call()
	}
}

// limit leaves AVX2 as the widest instruction set, and fails where there is none.
func limit() error {
	for _, i := range kernels.Implementations() {
		if i.ISA == "AVX2" && !i.Supported {
			return fmt.Errorf("this machine has no AVX2 for %s", i.Kernel)
		}
	}
	return kernels.Limit("AVX2")
}

func q8(tokens int) func() {
	d := gemm.Dims{Tokens: tokens, Rows: rows, K: k, DstStride: rows}
	e, s := quant.Rows8Size(tokens, k)
	x := quant.Rows8{Tokens: tokens, K: k, Q: make([]int8, e), Wide: make([]int16, e), Scale: make([]float32, s), Sum: make([]int32, s)}
	dst, w := make([]float32, tokens*rows), make([]byte, gemm.Panels(rows)*quant.Q8Size(k))
	return func() { gemm.Q8(dst, x, w, d) }
}

func bf16(tokens int) func() {
	d := gemm.Dims{Tokens: tokens, Rows: rows, K: k, DstStride: rows, XStride: k}
	dst, x, w := make([]float32, tokens*rows), make([]float32, tokens*k), make([]uint16, rows*k)
	return func() { gemm.BF16(dst, x, w, d, false) }
}

func gatedRule(tokens int) func() {
	a := &delta.Gated{
		O: make([]float32, tokens*vdim), Q: make([]float32, tokens*kdim), K: make([]float32, tokens*kdim), V: make([]float32, tokens*vdim),
		OStride: vdim, QStride: kdim, KStride: kdim, VStride: vdim,
		Decay: make([]float32, tokens), Beta: make([]float32, tokens), DecayStride: 1, BetaStride: 1,
		S: make([]float32, kdim*vdim), SStride: vdim, Tokens: tokens, KDim: kdim, VDim: vdim, Scale: 1,
	}
	return func() { delta.GatedRule(a) }
}

func ssdScan(tokens int) func() {
	a := &scan.SSD{
		Y: make([]float32, tokens*vdim), X: make([]float32, tokens*vdim), B: make([]float32, tokens*kdim), C: make([]float32, tokens*kdim),
		YStride: vdim, XStride: vdim, BStride: kdim, CStride: kdim,
		Dt: make([]float32, tokens), Decay: make([]float32, tokens), D: make([]float32, vdim),
		S: make([]float32, scan.StateLen(vdim, kdim)), Tokens: tokens, P: vdim, N: kdim,
	}
	return func() { scan.SSDScan(a) }
}
