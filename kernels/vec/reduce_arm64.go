//go:build !purego

package vec

//go:noescape
func dotNEON(a, b []float32) float32

func dot(a, b []float32) float32 {
	if useDotNEON {
		return dotNEON(a, b)
	}
	return dotGeneric(a, b)
}

//go:noescape
func sumNEON(x []float32) float32

func sum(x []float32) float32 {
	if useSumNEON {
		return sumNEON(x)
	}
	return sumGeneric(x)
}

//go:noescape
func maximumNEON(x []float32) float32

func maximum(x []float32) float32 {
	if useMaxNEON {
		return maximumNEON(x)
	}
	return maximumGeneric(x)
}

//go:noescape
func expSumNEON(dst, x []float32, scale, shift float32) float32

func expSum(dst, x []float32, scale, shift float32) float32 {
	if useExpSumNEON {
		return expSumNEON(dst, x, scale, shift)
	}
	return expSumGeneric(dst, x, scale, shift)
}
