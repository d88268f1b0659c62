//go:build (!amd64 && !arm64) || purego

package vec

func maximum(x []float32) float32 { return maximumGeneric(x) }

func expSum(dst, x []float32, scale, shift float32) float32 {
	return expSumGeneric(dst, x, scale, shift)
}
