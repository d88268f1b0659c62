//go:build !amd64 || purego

package vec

func fromBF16(dst []float32, x []uint16) { fromBF16Generic(dst, x) }

func fromF16(dst []float32, x []uint16) { fromF16Generic(dst, x) }

func toBF16(dst []uint16, x []float32) { toBF16Generic(dst, x) }

func toF16(dst []uint16, x []float32) { toF16Generic(dst, x) }
