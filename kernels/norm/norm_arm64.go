//go:build !purego

package norm

import "github.com/mminfer/mminfer/kernels"

// Every arm64 processor has NEON.
var (
	useRMSNEON = true
	useL2NEON  = true
)

func init() {
	kernels.Register("norm.RMS", "NEON", &useRMSNEON)
	kernels.Register("norm.L2", "NEON", &useL2NEON)
}

//go:noescape
func rmsNEON(dst, x, w []float32, eps float32)

func rms(dst, x, w []float32, eps float32) {
	if useRMSNEON {
		rmsNEON(dst, x, w, eps)
	} else {
		rmsGeneric(dst, x, w, eps)
	}
}

//go:noescape
func l2NEON(dst, x []float32, d int, eps float32)

func l2(dst, x []float32, d int, eps float32) {
	if useL2NEON {
		l2NEON(dst, x, d, eps)
	} else {
		l2Generic(dst, x, d, eps)
	}
}
