//go:build !purego

package vec

import "github.com/mminfer/mminfer/kernels"

var (
	useDotAVX2     = useMathAVX2
	useDotAVX512   = useMathAVX512
	useSumAVX2     = useMathAVX2
	useSumAVX512   = useMathAVX512
	useShiftAVX2   = useMathAVX2
	useShiftAVX512 = useMathAVX512
)

func init() {
	kernels.Register("vec.Dot", "AVX2", &useDotAVX2)
	kernels.Register("vec.Dot", "AVX512", &useDotAVX512)
	kernels.Register("vec.Sum", "AVX2", &useSumAVX2)
	kernels.Register("vec.Sum", "AVX512", &useSumAVX512)
	kernels.Register("vec.Shift", "AVX2", &useShiftAVX2)
	kernels.Register("vec.Shift", "AVX512", &useShiftAVX512)
}

//go:noescape
func dotAVX2(a, b []float32) float32

//go:noescape
func dotAVX512(a, b []float32) float32

func dot(a, b []float32) float32 {
	if useDotAVX512 {
		return dotAVX512(a, b)
	} else if useDotAVX2 {
		return dotAVX2(a, b)
	}
	return dotGeneric(a, b)
}

//go:noescape
func sumAVX2(x []float32) float32

//go:noescape
func sumAVX512(x []float32) float32

func sum(x []float32) float32 {
	if useSumAVX512 {
		return sumAVX512(x)
	} else if useSumAVX2 {
		return sumAVX2(x)
	}
	return sumGeneric(x)
}

//go:noescape
func shiftAVX2(dst, x []float32, s float32)

//go:noescape
func shiftAVX512(dst, x []float32, s float32)

func shift(dst, x []float32, s float32) {
	if useShiftAVX512 {
		shiftAVX512(dst, x, s)
	} else if useShiftAVX2 {
		shiftAVX2(dst, x, s)
	} else {
		shiftGeneric(dst, x, s)
	}
}
