package gemm

import (
	"encoding/binary"
	"fmt"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/kernels/quant"
)

// Q8 multiplies 8-bit activations x [Tokens, K] by 8-bit weights, w in panels of
// [quant.Q8Size] bytes: for each block the integers' dot product is exact, and
//
//	dst[t,r] = fma(float(dot), scale[r]·scale[t], dst[t,r])
//
// folds it in, block by block from 0. d.XStride and d.PanelK are not used. It panics if a slice is too short.
func Q8(dst []float32, x quant.Rows8, w []byte, d Dims) {
	d.XStride, d.PanelK = d.K, 0
	d.check("Q8", len(dst), d.Tokens*d.K, len(w), 0)
	if x.K != d.K || len(w) < Panels(d.Rows)*quant.Q8Size(d.K) {
		panic(fmt.Sprintf("gemm.Q8: %+v: activations have %d columns, weights %d bytes", d, x.K, len(w)))
	}
	x.Check("gemm.Q8", d.Tokens)
	q8(dst, x, w, d)
}

func q8Generic(dst []float32, x quant.Rows8, w []byte, d Dims) {
	nb, size := quant.Blocks(d.K), quant.Q8Size(d.K)
	for t := range d.Tokens {
		for r := range d.Rows {
			panel := w[r/Rows*size : (r/Rows+1)*size]
			var sum float32
			for b := range nb {
				var dot int32
				for i := b * quant.Block; i < (b+1)*quant.Block; i++ {
					dot += (int32(panel[(i/4*Rows+r%Rows)*4+i%4]) - 128) * int32(x.Q[t*quant.Stride(d.K)+i])
				}
				scale := float16.Frombits(binary.LittleEndian.Uint16(panel[(nb*quant.Block*Rows)+(b*Rows+r%Rows)*2:])).Float32()
				sum = kernels.FMA(float32(dot), scale*x.Scale[t*nb+b], sum)
			}
			dst[t*d.DstStride+r] = sum
		}
	}
}
