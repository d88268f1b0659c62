package gemm

import (
	"fmt"

	"github.com/mminfer/mminfer/kernels"
	"github.com/mminfer/mminfer/kernels/quant"
)

// Code multiplies 8-bit activations x [Tokens, K] by weights of fewer than 8 bits, w in panels of
// [quant.Code.Size] bytes: for each block the integers' dot product is exact, and
//
//	dst[t,r] = fma(float(dot), scale[r]·scale[t], dst[t,r])
//
// folds it in, block by block from 0; where the format has a minimum,
//
//	dst[t,r] = fma(float(Σx), minimum[r]·scale[t], dst[t,r])
//
// follows. d.XStride and d.PanelK are not used. It panics if a slice is too short.
func Code(c quant.Code, dst []float32, x quant.Rows8, w []byte, d Dims) {
	d.XStride, d.PanelK = d.K, 0
	d.check("Code", len(dst), d.Tokens*d.K, len(w), 0)
	if x.K != d.K || len(w) < Panels(d.Rows)*c.Size(d.K) {
		panic(fmt.Sprintf("gemm.Code: %+v: activations have %d columns, weights %d bytes", d, x.K, len(w)))
	}
	x.Check("gemm.Code", d.Tokens)
	code(c, dst, x, w, d)
}

func codeGeneric(c quant.Code, dst []float32, x quant.Rows8, w []byte, d Dims) {
	nb, size := quant.Blocks(d.K), c.Size(d.K)
	for r := range d.Rows {
		panel := w[r/Rows*size : (r/Rows+1)*size]
		for t := range d.Tokens {
			dst[t*d.DstStride+r] = 0
		}
		for b := range nb {
			var level [quant.Block]int32
			for i := range level {
				level[i] = c.Level(c.At(panel, d.K, r%Rows, b*quant.Block+i))
			}
			scale, least := c.Scales(panel, d.K, r%Rows, b)
			for t := range d.Tokens {
				var dot int32
				for i, q := range x.Q[t*quant.Stride(d.K)+b*quant.Block:][:quant.Block] {
					dot += level[i] * int32(q)
				}
				out, xs := &dst[t*d.DstStride+r], x.Scale[t*nb+b]
				*out = kernels.FMA(float32(dot), scale*xs, *out)
				if c == quant.Q4L {
					*out = kernels.FMA(float32(x.Sum[t*nb+b])*(-1./128), least*xs, *out)
				}
			}
		}
	}
}
