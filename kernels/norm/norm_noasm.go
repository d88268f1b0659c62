//go:build (!amd64 && !arm64) || purego

package norm

func rms(dst, x, w []float32, eps float32) { rmsGeneric(dst, x, w, eps) }

func l2(dst, x []float32, d int, eps float32) { l2Generic(dst, x, d, eps) }
