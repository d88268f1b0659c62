//go:build (!amd64 && !arm64) || purego

package vec

func exp(dst, x []float32) { expGeneric(dst, x) }

func log(dst, x []float32) { logGeneric(dst, x) }

func sigmoid(dst, x []float32) { sigmoidGeneric(dst, x) }

func silu(dst, x []float32) { siluGeneric(dst, x) }

func siluMul(dst, gate, up []float32) { siluMulGeneric(dst, gate, up) }

func softplus(dst, x []float32) { softplusGeneric(dst, x) }
