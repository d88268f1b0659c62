//go:build !purego

package vec

import "github.com/mminfer/mminfer/kernels"

var (
	useMaxAVX2      = useMathAVX2
	useMaxAVX512    = useMathAVX512
	useExpSumAVX2   = useMathAVX2
	useExpSumAVX512 = useMathAVX512
)

func init() {
	kernels.Register("vec.Max", "AVX2", &useMaxAVX2)
	kernels.Register("vec.Max", "AVX512", &useMaxAVX512)
	kernels.Register("vec.ExpSum", "AVX2", &useExpSumAVX2)
	kernels.Register("vec.ExpSum", "AVX512", &useExpSumAVX512)
}

//go:noescape
func maximumAVX2(x []float32) float32

//go:noescape
func maximumAVX512(x []float32) float32

func maximum(x []float32) float32 {
	if useMaxAVX512 {
		return maximumAVX512(x)
	} else if useMaxAVX2 {
		return maximumAVX2(x)
	}
	return maximumGeneric(x)
}

//go:noescape
func expSumAVX2(dst, x []float32, scale, shift float32) float32

//go:noescape
func expSumAVX512(dst, x []float32, scale, shift float32) float32

func expSum(dst, x []float32, scale, shift float32) float32 {
	if useExpSumAVX512 {
		return expSumAVX512(dst, x, scale, shift)
	} else if useExpSumAVX2 {
		return expSumAVX2(dst, x, scale, shift)
	}
	return expSumGeneric(dst, x, scale, shift)
}
