package gemm

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/x448/float16"

	"github.com/mminfer/mminfer/internal/kerneltest"
	"github.com/mminfer/mminfer/kernels/quant"
)

// format is one float format: how to store a weight, and its product.
type format struct {
	name string
	pack func(w []float32) (any, []float32) // panels as stored, and the values they hold
	run  func(h *kerneltest.H, dst, x []float32, w any, d Dims, add bool)
}

var formats = []format{
	{"gemm.F32",
		func(w []float32) (any, []float32) { return w, w },
		func(h *kerneltest.H, dst, x []float32, w any, d Dims, add bool) {
			F32(dst, x, kerneltest.In(h, w.([]float32)), d, add)
		}},
	{"gemm.BF16",
		func(w []float32) (any, []float32) {
			half, value := make([]uint16, len(w)), make([]float32, len(w))
			for i, v := range w {
				half[i] = uint16(math.Float32bits(v) >> 16)
				value[i] = math.Float32frombits(uint32(half[i]) << 16)
			}
			return half, value
		},
		func(h *kerneltest.H, dst, x []float32, w any, d Dims, add bool) {
			BF16(dst, x, kerneltest.In(h, w.([]uint16)), d, add)
		}},
	{"gemm.F16",
		func(w []float32) (any, []float32) {
			half, value := make([]uint16, len(w)), make([]float32, len(w))
			for i, v := range w {
				half[i] = float16.Fromfloat32(v).Bits()
				value[i] = float16.Frombits(half[i]).Float32()
			}
			return half, value
		},
		func(h *kerneltest.H, dst, x []float32, w any, d Dims, add bool) {
			F16(dst, x, kerneltest.In(h, w.([]uint16)), d, add)
		}},
}

// shapes calls f for every k up to 300 and around the runs' ends, with rows and tokens that
// exercise every tile and edge.
func shapes(f func(d Dims)) {
	at := func(tokens, rows, k int) {
		f(Dims{Tokens: tokens, Rows: rows, K: k, DstStride: rows + tokens%3, XStride: k + tokens%2, PanelK: k + rows%3})
	}
	kerneltest.Lengths(func(k int) { at(k%5, 1+k%40, k) })
	for tokens := range 15 {
		for _, rows := range []int{1, 16, 17, 64, 65, 112, 130} {
			at(tokens, rows, 37)
		}
	}
	at(3, 20, 0)
	at(130, 70, 300) // more than one block of tokens
	at(121, 130, 20)
	at(1, 210, 300)
	at(13, 40, 1100)
	for _, k := range []int{255, 256, 257, 511, 512, 513, 1000} {
		for _, tokens := range []int{1, 2, 3, 6, 9} {
			at(tokens, 70, k)
		}
	}
}

func TestFloat(t *testing.T) {
	for _, f := range formats {
		kerneltest.All(t, f.name, func(h *kerneltest.H) {
			shapes(func(d Dims) { f.check(h, d) })
		})
	}
}

func (f format) check(h *kerneltest.H, d Dims) {
	h.Helper()
	x := h.Normal(d.Tokens*d.XStride, 1)
	before := h.Normal(d.Tokens*d.DstStride, 1)
	stored, w := f.pack(h.Normal(Panels(d.Rows)*d.PanelK*Rows, 1))
	for _, add := range []bool{false, true} {
		dst := kerneltest.InOut(h, before)
		f.run(h, dst, kerneltest.In(h, x), stored, d, add)
		h.Within(fmt.Sprintf("%+v add=%v", d, add), dst, func(i int) (float64, float64) {
			t, r := i/d.DstStride, i%d.DstStride
			if r >= d.Rows {
				return float64(before[i]), 0
			}
			var sum, abs float64
			if add {
				sum, abs = float64(before[i]), math.Abs(float64(before[i]))
			}
			for k := range d.K {
				p := float64(x[t*d.XStride+k]) * float64(w[r/Rows*Rows*d.PanelK+k*Rows+r%Rows])
				sum, abs = sum+p, abs+math.Abs(p)
			}
			return sum, float64(min(d.K, Run)+d.K/Run+2) * 0x1p-24 * abs
		})
		h.Check("%+v add=%v", d, add)
	}
}

func TestQ8(t *testing.T) {
	kerneltest.All(t, "gemm.Q8", func(h *kerneltest.H) {
		shapes(func(d Dims) {
			w, value := packQ8(h.Normal(d.Rows*d.K, 1), d.Rows, d.K)
			x := newRows8(d.Tokens, d.K)
			rows := h.Normal(d.Tokens*d.K, 1)
			x.Quantize(rows, d.K)
			in := quant.Rows8{Tokens: d.Tokens, K: d.K, Q: kerneltest.In(h, x.Q), Wide: kerneltest.In(h, x.Wide), Scale: kerneltest.In(h, x.Scale), Sum: kerneltest.In(h, x.Sum)}
			dst := kerneltest.InOut(h, make([]float32, d.Tokens*d.DstStride))
			Q8(dst, in, kerneltest.In(h, w), d)
			h.Within(fmt.Sprintf("%+v", d), dst, func(i int) (float64, float64) {
				t, r := i/d.DstStride, i%d.DstStride
				if r >= d.Rows {
					return 0, 0
				}
				var sum, abs float64
				for k := range d.K {
					p := float64(x.Q[t*quant.Stride(d.K)+k]) * float64(x.Scale[t*quant.Blocks(d.K)+k/quant.Block]) * value[r*d.K+k]
					sum, abs = sum+p, abs+math.Abs(p)
				}
				// Per block one rounding each of the scales' product and of the sum; dots are exact.
				return sum, float64(quant.Blocks(d.K)+2) * 0x1p-24 * abs
			})
			h.Check("%+v", d)
		})
	})
}

func TestCode(t *testing.T) {
	for c := quant.Q4; c <= quant.Q6; c++ {
		kerneltest.All(t, "gemm.Code", func(h *kerneltest.H) {
			code := func() byte { return byte(h.Rand.Uint32()) }
			shapes(func(d Dims) { checkCode(h, c, d, code, h.Normal(d.Tokens*d.K, 1)) })
			// Activations at the ends of their range, -128 included, do not overflow.
			d := Dims{Tokens: 6, Rows: 64, K: 64, DstStride: 64}
			for _, code := range []func() byte{code, func() byte { return 0 }, func() byte { return 0xff }} {
				checkCode(h, c, d, code, slices.Repeat([]float32{1, -1, 1, 1}, d.Tokens*d.K/4))
				checkCode(h, c, d, code, slices.Repeat([]float32{1}, d.Tokens*d.K))
				checkCode(h, c, d, code, slices.Repeat([]float32{0x1p-149}, d.Tokens*d.K))
			}
		})
	}
}

// checkCode multiplies rows by weights of codes and scales whose bytes are the given ones.
func checkCode(h *kerneltest.H, c quant.Code, d Dims, code func() byte, rows []float32) {
	h.Helper()
	size := c.Size(d.K)
	w := make([]byte, Panels(d.Rows)*size)
	scaled, least := make([]float64, d.Rows*d.K), make([]float64, d.Rows*d.K)
	for i := range w {
		w[i] = code()
	}
	for p := range Panels(d.Rows) {
		scales := w[p*size+quant.Blocks(d.K)*c.BlockSize() : (p+1)*size]
		for i := 1; i < len(scales); i += 2 { // not beyond 2, and finite
			scales[i] &= 0xbf
		}
	}
	for i := range scaled {
		r, k := i/d.K, i%d.K
		panel := w[r/Rows*size:]
		s, m := c.Scales(panel, d.K, r%Rows, k/quant.Block)
		scaled[i], least[i] = float64(s)*float64(c.Level(c.At(panel, d.K, r%Rows, k))), float64(m)
	}
	x := newRows8(d.Tokens, d.K)
	x.Quantize(rows, d.K)
	in := quant.Rows8{Tokens: d.Tokens, K: d.K, Q: kerneltest.In(h, x.Q), Wide: kerneltest.In(h, x.Wide), Scale: kerneltest.In(h, x.Scale), Sum: kerneltest.In(h, x.Sum)}
	dst := kerneltest.InOut(h, make([]float32, d.Tokens*d.DstStride))
	Code(c, dst, in, kerneltest.In(h, w), d)
	h.Within(fmt.Sprintf("%d bits %+v", c.Bits(), d), dst, func(i int) (float64, float64) {
		t, r := i/d.DstStride, i%d.DstStride
		if r >= d.Rows {
			return 0, 0
		}
		var sum, abs float64
		for k := range d.K {
			xs := float64(x.Q[t*quant.Stride(d.K)+k]) * float64(x.Scale[t*quant.Blocks(d.K)+k/quant.Block])
			p, m := xs*scaled[r*d.K+k], xs*least[r*d.K+k]
			sum, abs = sum+p+m, abs+math.Abs(p)+math.Abs(m)
		}
		// Per block and term one rounding each of the scales' product and of the sum; dots are exact.
		// Products of scales below the normal range lose up to half of its unit, times the dot.
		return sum, float64(2*quant.Blocks(d.K)+2)*0x1p-24*abs + float64(quant.Blocks(d.K))*0x1p-150*32*128*128
	})
	h.Check("%d bits %+v", c.Bits(), d)
}

// newRows8 allocates rows of 8-bit activations.
func newRows8(tokens, k int) quant.Rows8 {
	e, s := quant.Rows8Size(tokens, k)
	return quant.Rows8{Tokens: tokens, K: k, Q: make([]int8, e), Wide: make([]int16, e), Scale: make([]float32, s), Sum: make([]int32, s)}
}

// packQ8 packs a [rows, k] matrix and returns the values the panels hold.
func packQ8(w []float32, rows, k int) ([]byte, []float64) {
	size := quant.Q8Size(k)
	panels, value := make([]byte, Panels(rows)*size), make([]float64, rows*k)
	for p := range Panels(rows) {
		n := min(Rows, rows-p*Rows)
		panel := panels[p*size : (p+1)*size]
		columns := make([]float32, k*Rows)
		for r := range n {
			for i := range k {
				columns[i*Rows+r] = w[(p*Rows+r)*k+i]
			}
		}
		quant.Q8Columns(panel, columns, k, 0)
		for r := range n {
			for i := range k {
				q := float64(int(panel[(i/4*Rows+r)*4+i%4]) - 128)
				s := binary.LittleEndian.Uint16(panel[quant.Blocks(k)*quant.Block*Rows+(i/quant.Block*Rows+r)*2:])
				value[(p*Rows+r)*k+i] = q * float64(float16.Frombits(s).Float32())
			}
		}
	}
	return panels, value
}

func TestSizesAreChecked(t *testing.T) {
	good := Dims{Tokens: 2, Rows: 20, K: 8, DstStride: 20, XStride: 8}
	short := map[string]func(){
		"dst":  func() { F32(make([]float32, 39), make([]float32, 16), make([]float32, 256), good, false) },
		"x":    func() { BF16(make([]float32, 40), make([]float32, 15), make([]uint16, 256), good, false) },
		"w":    func() { F16(make([]float32, 40), make([]float32, 16), make([]uint16, 255), good, false) },
		"q8 w": func() { Q8(make([]float32, 40), newRows8(2, 8), make([]byte, 2*quant.Q8Size(8)-1), good) },
		"q8 x": func() { Q8(make([]float32, 40), newRows8(1, 8), make([]byte, 2*quant.Q8Size(8)), good) },
		"stride": func() {
			F32(make([]float32, 99), make([]float32, 99), make([]float32, 999), Dims{2, 20, 8, 19, 8, 0}, false)
		},
	}
	for name, f := range short {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func FuzzFloat(f *testing.F) {
	f.Add(uint8(3), uint8(17), uint16(40), uint64(1))
	f.Fuzz(func(t *testing.T, tokens, rows uint8, k uint16, seed uint64) {
		d := Dims{Tokens: int(tokens % 16), Rows: int(rows), K: int(k % 600), DstStride: int(rows), XStride: int(k % 600), PanelK: int(k%600) + 1}
		for _, format := range formats {
			kerneltest.All(t, format.name, func(h *kerneltest.H) {
				h.Reseed(seed)
				format.check(h, d)
			})
		}
	})
}
