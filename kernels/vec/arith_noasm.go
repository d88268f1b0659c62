//go:build (!amd64 && !arm64) || purego

package vec

func add(dst, a, b []float32) { addGeneric(dst, a, b) }

func mul(dst, a, b []float32) { mulGeneric(dst, a, b) }

func scale(dst []float32, s float32, x []float32) { scaleGeneric(dst, s, x) }

func axpy(dst []float32, s float32, x []float32) { axpyGeneric(dst, s, x) }

func relu(dst, x []float32) { reluGeneric(dst, x) }
