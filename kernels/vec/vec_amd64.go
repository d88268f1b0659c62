//go:build !purego

package vec

import (
	"math"

	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useMathAVX2    = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	useMathAVX512  = useMathAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
	useArithAVX2   = useMathAVX2
	useArithAVX512 = useMathAVX512
)

func init() {
	kernels.Register("vec.math", "AVX2", &useMathAVX2)
	kernels.Register("vec.math", "AVX512", &useMathAVX512)
	kernels.Register("vec.arith", "AVX2", &useArithAVX2)
	kernels.Register("vec.arith", "AVX512", &useArithAVX512)
}

// constants holds one constant a row, eight times, for the assembly: expN and logN below in
// vec_amd64.h are the byte offsets of the rows.
//
//lint:ignore U1000 read by the assembly
var constants = [...][8]float32{
	splat(expMax), splat(expMin), splat(log2e), splat(-ln2Hi), splat(-ln2Lo),
	splat(exp6), splat(exp5), splat(exp4), splat(exp3), splat(exp2), splat(exp1c),
	splat(1), splat(math.Float32frombits(127)),
	splat(log8), splat(log7), splat(log6), splat(log5), splat(log4), splat(log3), splat(log2), splat(log1c), splat(log0),
	splat(ln2Lo), splat(-0.5), splat(ln2Hi), splat(math.Float32frombits(sqrtHalf)), splat(0x1p-126), splat(0x1p23), splat(-23),
	splat(float32(math.Inf(-1))), splat(float32(math.NaN())), splat(float32(math.Inf(1))),
	splat(math.Float32frombits(0x80000000)),
}

// tailMask, read from element 8-n, masks the first n of eight lanes.
//
//lint:ignore U1000 read by the assembly
var tailMask = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

func splat(c float32) [8]float32 { return [8]float32{c, c, c, c, c, c, c, c} }
