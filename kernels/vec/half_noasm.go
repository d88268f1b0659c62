//go:build (!amd64 && !arm64) || purego

package vec

func fromBF16([]float32, []uint16) int { return 0 }

func fromF16([]float32, []uint16) int { return 0 }

func toBF16([]uint16, []float32) int { return 0 }

func toF16([]uint16, []float32) int { return 0 }
