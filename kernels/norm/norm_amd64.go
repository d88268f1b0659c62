//go:build !purego

package norm

import (
	"golang.org/x/sys/cpu"

	"github.com/mminfer/mminfer/kernels"
)

var (
	useRMSAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
	useRMSAVX512 = useRMSAVX2 && cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VL
	useL2AVX2    = useRMSAVX2
	useL2AVX512  = useRMSAVX512
)

func init() {
	kernels.Register("norm.RMS", "AVX2", &useRMSAVX2)
	kernels.Register("norm.RMS", "AVX512", &useRMSAVX512)
	kernels.Register("norm.L2", "AVX2", &useL2AVX2)
	kernels.Register("norm.L2", "AVX512", &useL2AVX512)
}

//go:noescape
func rmsAVX2(dst, x, w []float32, eps float32)

//go:noescape
func rmsAVX512(dst, x, w []float32, eps float32)

func rms(dst, x, w []float32, eps float32) {
	if useRMSAVX512 {
		rmsAVX512(dst, x, w, eps)
	} else if useRMSAVX2 {
		rmsAVX2(dst, x, w, eps)
	} else {
		rmsGeneric(dst, x, w, eps)
	}
}

//go:noescape
func l2AVX2(dst, x []float32, d int, eps float32)

//go:noescape
func l2AVX512(dst, x []float32, d int, eps float32)

func l2(dst, x []float32, d int, eps float32) {
	if useL2AVX512 {
		l2AVX512(dst, x, d, eps)
	} else if useL2AVX2 {
		l2AVX2(dst, x, d, eps)
	} else {
		l2Generic(dst, x, d, eps)
	}
}
