package quant

import (
	"encoding/binary"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

// TestColumns16 checks whole panels and a partial one, of every length.
func TestColumns16(t *testing.T) {
	kerneltest.All(t, "quant.Columns16", func(h *kerneltest.H) {
		checkInterleaved(h, 2, Columns16, func(b []byte) uint16 { return binary.LittleEndian.Uint16(b) })
	})
}

func TestColumns32(t *testing.T) {
	kerneltest.All(t, "quant.Columns32", func(h *kerneltest.H) {
		checkInterleaved(h, 4, Columns32, binary.LittleEndian.Uint32)
	})
}

func checkInterleaved[E uint16 | uint32](h *kerneltest.H, size int, columns func([]E, [][]byte, int), element func([]byte) E) {
	for k := range 70 {
		for _, n := range []int{Rows, 5} {
			var rows [][]byte
			for range n {
				row := make([]byte, k*size)
				for i := range row {
					row[i] = byte(h.Rand.Uint32() | 1) // no pattern of an element not written
				}
				rows = append(rows, kerneltest.In(h, row))
			}
			dst := kerneltest.InOut(h, make([]E, k*Rows))
			columns(dst, rows, k)
			for i, v := range dst {
				var want E
				if r := i % Rows; r < n {
					want = element(rows[r][i/Rows*size:])
				}
				if v != want {
					h.Fatalf("%d rows of %d: row %d column %d is %#x, want %#x", n, k, i%Rows, i/Rows, v, want)
				}
			}
			h.Check("%d rows of %d", n, k)
		}
	}
}
