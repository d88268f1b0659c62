package quant

import (
	"fmt"
	"math"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

func TestQ8Values(t *testing.T) {
	for k := range 100 {
		w := make([]float32, 21*k)
		for i := range w {
			w[i] = float32(math.Sin(float64(i*i))) * float32(math.Exp2(float64(i%9)))
		}
		value := append(q8Values(w[:16*k], 16, k), q8Values(w[16*k:], 5, k)...)
		for r := range 21 {
			for i := range k {
				var top float64
				for _, v := range w[r*k+i/Block*Block : r*k+min((i/Block+1)*Block, k)] {
					top = max(top, math.Abs(float64(v)))
				}
				// Half a step, the scale's rounding times 127, and the clamp that rounding may cause.
				if err, bound := math.Abs(value[r*k+i]-float64(w[r*k+i])), top/127*0.5+top*0x1p-11; !(err <= bound) {
					t.Fatalf("k=%d row %d element %d: %g for %g, off by %g > %g", k, r, i, value[r*k+i], w[r*k+i], err, bound)
				}
			}
		}
	}
}

// columnsOf returns n rows as columns of a panel.
func columnsOf(w []float32, n, k int) []float32 {
	columns := make([]float32, k*Rows)
	for r := range n {
		for i := range k {
			columns[i*Rows+r] = w[r*k+i]
		}
	}
	return columns
}

// panels calls check with the columns of panels: of all lengths, ranges and special values.
func panels(h *kerneltest.H, check func(name string, columns []float32, k int)) {
	for k := range 70 {
		columns := h.Normal(k*Rows, 1)
		for i := range columns {
			columns[i] *= float32(math.Exp2(float64(i % 16 * 10)))
		}
		check(fmt.Sprintf("k=%d", k), columns, k)
	}
	check("patterns", h.Patterns(320*Rows), 320)
	check("zeros", make([]float32, 64*Rows), 64)
	for i, s := range kerneltest.Specials {
		columns := h.Normal(64*Rows, 1)
		columns[5*Rows+3], columns[45*Rows+9], columns[46*Rows+9] = s, s, -s
		check(fmt.Sprintf("special %d", i), columns, 64)
	}
	// Scales that half precision has only few bits for, or none, and halves of steps.
	columns := make([]float32, 64*Rows)
	for i := range columns {
		columns[i] = float32(h.Rand.IntN(509)-254) * float32(math.Exp2(float64(i%Rows*2-40)))
	}
	check("small", columns, 64)
	// Ranges too narrow for a scale, just below where half precision would round up.
	for i := range columns {
		columns[i] = 0x1p-12 + 0x1p-23 + float32(h.Rand.IntN(8)-1)*0x1p-35
	}
	check("narrow", columns, 64)
}

func TestQ8Columns(t *testing.T) {
	kerneltest.All(t, "quant.Q8Columns", func(h *kerneltest.H) {
		panels(h, func(name string, columns []float32, k int) {
			Q8Columns(kerneltest.InOut(h, make([]byte, Q8Size(k))), kerneltest.In(h, columns), k, 0)
			h.Check("%s", name)
		})
	})
}

func TestQuantize(t *testing.T) {
	kerneltest.All(t, "quant.Quantize", func(h *kerneltest.H) {
		check := func(k int, rows []float32) {
			e, s := Rows8Size(2, k)
			x := Rows8{2, k, kerneltest.Out[int8](h, e), kerneltest.Out[int16](h, e), kerneltest.Out[float32](h, s), kerneltest.Out[int32](h, s)}
			x.Quantize(kerneltest.In(h, rows), k)
			for t := range 2 {
				for i := range k {
					at, b := t*Stride(k)+i, t*Blocks(k)+i/Block
					v, got := float64(rows[t*k+i]), float64(x.Q[at])*float64(x.Scale[b])
					if sc := float64(x.Scale[b]); sc == sc && sc < 1e30 && sc > 0x1p-120 && !(math.Abs(got-v) <= sc*0.50001) {
						h.Fatalf("k=%d: %g became %g with scale %g", k, v, got, sc)
					}
				}
			}
			h.Check("k=%d", k)
		}
		kerneltest.Lengths(func(k int) { check(k, h.Normal(2*k, 3)) })
		check(1000, h.Patterns(2000))
		check(64, make([]float32, 128))
		for _, s := range kerneltest.Specials {
			rows := h.Normal(128, 1)
			rows[5], rows[70] = s, s
			check(64, rows)
		}
	})
}

// q8Values packs up to 16 rows and returns the values the panel holds, [n, k].
func q8Values(w []float32, n, k int) []float64 {
	panel, value := make([]byte, Q8Size(k)), make([]float64, n*k)
	Q8Columns(panel, columnsOf(w, n, k), k, 0)
	for r := range n {
		for i := range k {
			value[r*k+i] = float64(Q8At(panel, k, r, i))
		}
	}
	return value
}

func BenchmarkQuantize(b *testing.B) {
	kerneltest.Bench(b, "quant.Quantize", "Quantize", func(b *testing.B) {
		const k = 2048
		x, rows := Rows8{1, k, make([]int8, Stride(k)), make([]int16, Stride(k)), make([]float32, k/Block), make([]int32, k/Block)}, make([]float32, k)
		for i := range rows {
			rows[i] = float32(i)
		}
		b.SetBytes(4 * k)
		for b.Loop() {
			x.Quantize(rows, k)
		}
	})
}
