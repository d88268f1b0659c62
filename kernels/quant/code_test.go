package quant

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mminfer/mminfer/internal/kerneltest"
)

func TestCodeBlocks(t *testing.T) {
	for c := Q4; c <= Q6; c++ {
		const k = 70
		panel := make([]byte, c.Size(k))
		at := func(r, b, i int) byte { return byte((r*7 + b*5 + i*3) & (1<<c.Bits() - 1)) }
		for r := range Rows {
			for b := range Blocks(k) {
				var code [Block]byte
				for i := range code {
					code[i] = at(r, b, i)
				}
				c.SetBlock(panel, k, r, b, &code, uint16(0x3c00+r), uint16(0x3800+b))
			}
		}
		for r := range Rows {
			for i := range k {
				if got, want := c.At(panel, k, r, i), at(r, i/Block, i%Block); got != want {
					t.Fatalf("%d bits: row %d column %d: code %d, want %d", c.Bits(), r, i, got, want)
				}
				scale, least := c.Scales(panel, k, r, i/Block)
				want := 0.5 + float32(i/Block)*0x1p-11
				if c != Q4L {
					want = 0
				}
				if scale != 1+float32(r)*0x1p-10 || least != want {
					t.Fatalf("%d bits: row %d block %d: scale %v, minimum %v", c.Bits(), r, i/Block, scale, least)
				}
			}
		}
	}
}

// TestCodePanel demands of every block no more error than the widest spacing of levels would give.
func TestCodePanel(t *testing.T) {
	for c := Q4; c <= Q6; c++ {
		for k := range 100 {
			w := make([]float32, 16*k)
			for i := range w {
				w[i] = float32(math.Sin(float64(i*i))) * float32(math.Exp2(float64(i%9)-4))
			}
			value := packed(c, w, 11, k)
			for r := range Rows {
				for from := 0; from < k; from += Block {
					checkBlock(t, c, value[r*k+from:r*k+min(from+Block, k)], w[r*k+from:r*k+min(from+Block, k)], r < 11)
				}
			}
		}
	}
}

// checkBlock bounds a block's square error by that of the widest spacing over the range that the
// largest weight gives, each weight half a step off, and the scale's rounding.
func checkBlock(t *testing.T, c Code, got, w []float32, present bool) {
	t.Helper()
	var square, top, lo, hi float64
	for i, v := range w {
		if !present {
			if got[i] != 0 {
				t.Fatalf("%d bits: a missing row has %g", c.Bits(), got[i])
			}
			continue
		}
		top, lo, hi = max(top, math.Abs(float64(v))), min(lo, float64(v)), max(hi, float64(v))
		square += math.Pow(float64(got[i]-v), 2)
	}
	step := map[Code]float64{Q4: top / 113 * 24, Q4L: (hi - lo) / 15, Q5: top / 15, Q6: top / 31}[c]
	if bound := math.Sqrt(float64(len(w))) * (step/2 + top*0x1p-10); !(math.Sqrt(square) <= bound) {
		t.Fatalf("%d bits: %g became %g: error %g > %g", c.Bits(), w, got, math.Sqrt(square), bound)
	}
}

// packed packs n rows and returns the values the panel holds, [16, k].
func packed(c Code, w []float32, n, k int) []float32 {
	panel, value := make([]byte, c.Size(k)), make([]float32, Rows*k)
	c.Columns(panel, columnsOf(w, n, k), n, k, 0, nil)
	for r := range Rows {
		c.Row(value[r*k:(r+1)*k], panel, k, r, 0)
	}
	return value
}

// TestColumns compares the codes and scales that the assembly fits with those of the portable code.
func TestColumns(t *testing.T) {
	kerneltest.All(t, "quant.Columns", func(h *kerneltest.H) {
		for c := Q4; c <= Q6; c++ {
			panels(h, func(name string, columns []float32, k int) {
				c.Columns(kerneltest.InOut(h, make([]byte, c.Size(k))), kerneltest.In(h, columns), Rows, k, 0, nil)
				h.Check("%d bits: %s", c.Bits(), name)
			})
			columns := h.Normal(2048*Rows, 1)
			for i, v := range columns {
				columns[i] = v*v*v + float32(i/Rows%3) // long tails, and blocks that do not lie around 0
			}
			c.Columns(kerneltest.InOut(h, make([]byte, c.Size(2048))), columns, Rows, 2048, 0, nil)
			h.Check("%d bits: tails", c.Bits())
		}
	})
}

// TestFitImportance checks that weights which count more are kept better.
func TestFitImportance(t *testing.T) {
	for c := Q4; c <= Q6; c++ {
		h := normal(3200)
		important := make([]float32, Block)
		for i := range important {
			important[i] = []float32{1, 0.01}[i%2]
		}
		var even [2]float64 // square errors of the weights that count, without and with importance
		for b := 0; b+Block <= len(h); b += Block {
			for with, importance := range [][]float32{nil, important} {
				var code [Block]byte
				scale, least := c.Fit(&code, h[b:b+Block], importance)
				for i := 0; i < Block; i += 2 {
					v := scale.Float32()*float32(c.Level(code[i])) + least.Float32()
					even[with] += math.Pow(float64(v-h[b+i]), 2)
				}
			}
		}
		if !(even[1] < even[0]) {
			t.Errorf("%d bits: square error %g with importance, %g without", c.Bits(), even[1], even[0])
		}
	}
}

// TestFitSpecial checks blocks that have no usual scale.
func TestFitSpecial(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for c := Q4; c <= Q6; c++ {
		for _, w := range [][]float32{{}, {0, 0}, {0x1p-149, 0}, {math.MaxFloat32, -math.MaxFloat32}, {inf, 1}, {-inf, 1}, {inf, -inf}, {nan, 1}, {1, 1, 1}, {-7}} {
			var code [Block]byte
			scale, least := c.Fit(&code, w, nil)
			bad := len(w) > 0 && w[0] != w[0]
			if s := scale.Float32(); (s != s) != bad || math.IsInf(float64(s), 0) || least.IsInf(0) || least.IsNaN() {
				t.Errorf("%d bits: %v: scale %v, minimum %v", c.Bits(), w, scale, least)
			}
			for i, q := range code {
				if int(q) >= 1<<c.Bits() {
					t.Errorf("%d bits: %v: code %d is %d", c.Bits(), w, i, q)
				}
			}
			if len(w) > 0 && w[0] == 1 || len(w) == 1 {
				v := scale.Float32()*float32(c.Level(code[0])) + least.Float32()
				if !(math.Abs(float64(v-w[0])) <= 0x1p-10*math.Abs(float64(w[0]))) {
					t.Errorf("%d bits: %v became %v", c.Bits(), w, v)
				}
			}
		}
	}
}

func BenchmarkFit(b *testing.B) {
	for c := Q4; c <= Q6; c++ {
		b.Run(fmt.Sprintf("format=%s", []string{"q4", "q4l", "q5", "q6"}[c]), func(b *testing.B) {
			w := normal(Block)
			b.SetBytes(4 * Block)
			var code [Block]byte
			for b.Loop() {
				c.Fit(&code, w, nil)
			}
		})
	}
}

// normal returns n numbers of a normal distribution.
func normal(n int) []float32 {
	rng, v := rand.New(rand.NewPCG(1, 2)), make([]float32, n)
	for i := range v {
		v[i] = float32(rng.NormFloat64())
	}
	return v
}
