package vec

import (
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// TestHalf widens every 16-bit number and rounds it back, and rounds what lies between.
func TestHalf(t *testing.T) {
	kerneltest.All(t, "vec.half", func(h *kerneltest.H) {
		for _, c := range []struct {
			name  string
			from  func([]float32, []uint16)
			to    func([]uint16, []float32)
			quiet uint16 // the bit that makes a NaN quiet
		}{{"BF16", FromBF16, ToBF16, 0x40}, {"F16", FromF16, ToF16, 0x200}} {
			for base := 0; base < 1<<16; base += 1 << 12 {
				x := make([]uint16, 1<<12)
				for i := range x {
					x[i] = uint16(base + i)
				}
				wide, back := kerneltest.InOut(h, make([]float32, len(x))), kerneltest.InOut(h, make([]uint16, len(x)))
				c.from(wide, kerneltest.In(h, x))
				c.to(back, wide)
				for i, b := range back {
					if v := wide[i]; b != x[i] && (v == v || b != x[i]|c.quiet) {
						h.Fatalf("%s: %#04x widens to %g, rounds to %#04x", c.name, x[i], v, b)
					}
				}
				h.Check("%s from %#x", c.name, base)
			}
			kerneltest.Lengths(func(n int) {
				x := h.Patterns(n)
				c.to(kerneltest.InOut(h, make([]uint16, n)), kerneltest.In(h, x))
				h.Check("%s of %d", c.name, n)
			})
			// Half-way between two numbers, and next to it, of every exponent.
			var x []float32
			for e := uint32(0); e < 0xff<<23; e += 1 << 22 {
				for _, m := range []uint32{0x7fff, 0x8000, 0x8001, 0x18000, 0xfff, 0x1000, 0x1001, 0x3000} {
					x = append(x, math.Float32frombits(e|m), -math.Float32frombits(e|m))
				}
			}
			c.to(kerneltest.InOut(h, make([]uint16, len(x))), kerneltest.In(h, x))
			h.Check("%s ties", c.name)
		}
	})
}
