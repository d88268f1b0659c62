package gemm

import (
	"math"

	"github.com/mminfer/mminfer/kernels"
)

// PairRun is the length of the runs along k in pairs of columns.
const PairRun = Run / 2

// BF16Dot multiplies bfloat16 activations by bfloat16 weights as VDPBF16PS does. An element is a pair:
// column 2i in its lower half, 2i+1, or zero, in its upper half. x is [Tokens, K] of pairs, w [Panels(Rows), PanelK, 16]
// of pairs, and d.K, d.XStride and d.PanelK count pairs. In runs as in [F32],
//
//	sum = fma(w[r,2i+1], x[t,2i+1], sum)
//	sum = fma(w[r,2i], x[t,2i], sum)
//
// follow each other for each pair, both rounded to nearest, ties to even. Denormal numbers of w and x are zeros, and so
// are results that would be denormal after rounding; signs are kept. dst must not overlap the inputs. It
// panics if a slice is too short.
//
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, VDPBF16PS, Operation, and volume 1,
// 4.9.1.5, which tells denormal results after rounding; VDPBF16PS_MASK_VpsHdqWdqR in
// bochs-emu/Bochs@0e8c6cd, bochs/cpu/avx/avx512_bf16.cc.
func BF16Dot(dst []float32, x, w []uint32, d Dims, add bool) {
	d.check("BF16Dot", len(dst), len(x), len(w), Rows)
	bf16Dot(dst, x, w, d, add)
}

func bf16DotGeneric(dst []float32, x, w []uint32, d Dims, add bool) {
	for t := range d.Tokens {
		for r := range d.Rows {
			panel := w[r/Rows*Rows*d.panelK()+r%Rows:]
			out := &dst[t*d.DstStride+r]
			for from := 0; from < d.K || from == 0; from += PairRun {
				var sum float32
				for k := from; k < min(from+PairRun, d.K); k++ {
					a, b := panel[k*Rows], x[t*d.XStride+k]
					sum = fmaFlushed(half(a>>16), half(b>>16), sum)
					sum = fmaFlushed(half(a), half(b), sum)
				}
				if from > 0 || add {
					sum += *out
				}
				*out = sum
			}
		}
	}
}

// half widens the bfloat16 in the lower half of a pair; denormal numbers become zeros.
func half(pair uint32) float32 {
	b := pair << 16
	if b&0x7f800000 == 0 {
		b &= 1 << 31
	}
	return math.Float32frombits(b)
}

// fmaFlushed is [kernels.FMA], but zero where the result, rounded to 24 bits, is below the normal range. The
// product of two bfloat16 has 16 bits: a sum that close to the limit is exact in float64.
func fmaFlushed(a, b, c float32) float32 {
	const rounded = 0x1p-126 - 0x1p-151 // from here on to the smallest normal number
	if s := float64(a)*float64(b) + float64(c); s < rounded && s > -rounded {
		return float32(math.Copysign(0, s))
	}
	return kernels.FMA(a, b, c)
}
