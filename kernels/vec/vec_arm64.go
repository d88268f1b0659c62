//go:build !purego

package vec

import (
	"math"

	"github.com/mminfer/mminfer/kernels"
)

// Every arm64 processor has NEON.
var (
	useMathNEON   = true
	useArithNEON  = true
	useGELUNEON   = true
	useDotNEON    = true
	useSumNEON    = true
	useShiftNEON  = true
	useMaxNEON    = true
	useExpSumNEON = true
)

func init() {
	kernels.Register("vec.math", "NEON", &useMathNEON)
	kernels.Register("vec.arith", "NEON", &useArithNEON)
	kernels.Register("vec.GELU", "NEON", &useGELUNEON)
	kernels.Register("vec.Dot", "NEON", &useDotNEON)
	kernels.Register("vec.Sum", "NEON", &useSumNEON)
	kernels.Register("vec.Shift", "NEON", &useShiftNEON)
	kernels.Register("vec.Max", "NEON", &useMaxNEON)
	kernels.Register("vec.ExpSum", "NEON", &useExpSumNEON)
}

// constants holds one constant a row, four times, for the assembly: c* in vec_arm64.h are the byte
// offsets of the rows.
//
//lint:ignore U1000 read by the assembly
var constants = [...][4]float32{
	splat(expMax), splat(expMin), splat(log2e), splat(-ln2Hi), splat(-ln2Lo),
	splat(exp6), splat(exp5), splat(exp4), splat(exp3), splat(exp2), splat(exp1c),
	splat(1), splat(math.Float32frombits(127)),
	splat(log8), splat(log7), splat(log6), splat(log5), splat(log4), splat(log3), splat(log2), splat(log1c), splat(log0),
	splat(ln2Lo), splat(-0.5), splat(ln2Hi), splat(math.Float32frombits(sqrtHalf)), splat(0x1p-126), splat(0x1p23), splat(-23),
	splat(float32(math.Inf(-1))), splat(float32(math.NaN())), splat(float32(math.Inf(1))),
	splat(geluMax), splat(gelu9), splat(gelu8), splat(gelu7), splat(gelu6), splat(gelu5), splat(gelu4), splat(gelu3), splat(gelu2), splat(gelu1c), splat(gelu0),
}

func splat(c float32) [4]float32 { return [4]float32{c, c, c, c} }
