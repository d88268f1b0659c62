package quant

import (
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// TestUnpack6 packs every code in every place.
func TestUnpack6(t *testing.T) {
	kerneltest.All(t, "quant.Unpack6", func(h *kerneltest.H) {
		for first := range 64 {
			q := make([]byte, 192)
			for i := range 256 {
				code, half, group, at := (first+i*5)&63, i/128, i%128/32, i%32
				q[half*64+group%2*32+at] |= byte(code&15) << (group / 2 * 4)
				q[128+half*32+at] |= byte(code>>4) << (2 * group)
			}
			codes := kerneltest.InOut(h, make([]byte, 256))
			Unpack6((*[256]byte)(codes), (*[192]byte)(kerneltest.In(h, q)))
			for i, c := range codes {
				if want := (first+i*5)&63 - 32; int(int8(c)) != want {
					h.Fatalf("from %d: code %d is %d, want %d", first, i, int8(c), want)
				}
			}
			h.Check("from %d", first)
		}
	})
}
