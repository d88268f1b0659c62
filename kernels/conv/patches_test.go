package conv

import (
	"math/rand/v2"
	"testing"
)

// TestPatches holds every element of many windows to the definition.
func TestPatches(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		g := Window{
			N: 1 + rng.IntN(3), H: 1 + rng.IntN(7), W: 1 + rng.IntN(7), C: 1 + rng.IntN(5), KH: 1 + rng.IntN(3), KW: 1 + rng.IntN(3),
			Step: 1 + rng.IntN(2), Top: rng.IntN(2), Left: rng.IntN(2), OutH: 1 + rng.IntN(7), OutW: 1 + rng.IntN(7), Halve: rng.IntN(2) == 0,
		}
		g.PixelStride = g.C + rng.IntN(3)
		h, w := g.H, g.W
		if g.Halve {
			h, w = (h+1)/2, (w+1)/2
		}
		x := make([]float32, (g.Pixels()-1)*g.PixelStride+g.C)
		for i := range x {
			x[i] = float32(i + 1)
		}
		first := rng.IntN(g.Rows())
		rows := 1 + rng.IntN(g.Rows()-first)
		from := rng.IntN(g.Cols())
		to := from + 1 + rng.IntN(g.Cols()-from)
		stride := to - from + rng.IntN(3)
		dst := make([]float32, (rows-1)*stride+to-from)
		for i := range dst {
			dst[i] = -1
		}
		Patches(dst, stride, x, &g, first, rows, from, to)
		for i := range rows {
			p := first + i
			n, oy, ox := p/(g.OutH*g.OutW), p/g.OutW%g.OutH, p%g.OutW
			for col := from; col < to; col++ {
				y, xx, c := oy*g.Step+col/g.C/g.KW-g.Top, ox*g.Step+col/g.C%g.KW-g.Left, col%g.C
				var want float32
				if y >= 0 && y < g.H && xx >= 0 && xx < g.W {
					if g.Halve {
						y, xx = y/2, xx/2
					}
					want = x[((n*h+y)*w+xx)*g.PixelStride+c]
				}
				if got := dst[i*stride+col-from]; got != want {
					t.Fatalf("%+v: pixel %d, column %d: %v, want %v", g, p, col, got, want)
				}
			}
		}
		for i, v := range dst {
			if i%stride >= to-from && v != -1 {
				t.Fatalf("%+v: wrote beyond column %d", g, to)
			}
		}
	}
}

func TestPatchesRefuses(t *testing.T) {
	good := Window{N: 1, H: 2, W: 2, C: 3, KH: 1, KW: 1, Step: 1, OutH: 2, OutW: 2, PixelStride: 3}
	x, dst := make([]float32, 12), make([]float32, 12)
	Patches(dst, 3, x, &good, 0, 4, 0, 3)
	for name, f := range map[string]func(){
		"rows":    func() { Patches(dst, 3, x, &good, 1, 4, 0, 3) },
		"columns": func() { Patches(dst, 3, x, &good, 0, 4, 0, 4) },
		"dst":     func() { Patches(dst[:11], 3, x, &good, 0, 4, 0, 3) },
		"x":       func() { Patches(dst, 3, x[:11], &good, 0, 4, 0, 3) },
		"step":    func() { g := good; g.Step = 0; Patches(dst, 3, x, &g, 0, 4, 0, 3) },
	} {
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
