//go:build !purego

package vec

import "github.com/mminfer/mminfer/kernels"

var (
	useGELUAVX2   = useMathAVX2
	useGELUAVX512 = useMathAVX512
)

func init() {
	kernels.Register("vec.GELU", "AVX2", &useGELUAVX2)
	kernels.Register("vec.GELU", "AVX512", &useGELUAVX512)
}

//go:noescape
func geluAVX2(dst, x []float32)

//go:noescape
func geluAVX512(dst, x []float32)

func gelu(dst, x []float32) {
	if useGELUAVX512 {
		geluAVX512(dst, x)
	} else if useGELUAVX2 {
		geluAVX2(dst, x)
	} else {
		geluGeneric(dst, x)
	}
}

// geluConstants holds one constant a row, eight times: g* in gelu_amd64.s are the byte offsets.
//
//lint:ignore U1000 read by the assembly
var geluConstants = [...][8]float32{
	splat(geluMax), splat(gelu9), splat(gelu8), splat(gelu7), splat(gelu6), splat(gelu5), splat(gelu4), splat(gelu3), splat(gelu2), splat(gelu1c), splat(gelu0),
}
