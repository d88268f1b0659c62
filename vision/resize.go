package vision

import (
	"errors"
	"fmt"
	"math"
)

// maxSide bounds the sides of a resized picture.
const maxSide = 1 << 16

// Resize returns the picture at another size, its aspect ratio ignored, by Pillow's bicubic filter
// (Resample.c of Pillow 10.4 and 12.0): antialiased, separable, horizontal pass first, rounded to
// bytes after each pass; a pass that keeps its size is left out. It fails if a side is not in
// 1..65536.
func (m *Image) Resize(width, height int) (*Image, error) {
	if width < 1 || height < 1 || width > maxSide || height > maxSide {
		return nil, fmt.Errorf("vision: resize: %d x %d pixels, want sides in 1..%d", width, height, maxSide)
	}
	if m.Width < 1 || m.Height < 1 || len(m.Pix)/3/m.Width < m.Height {
		return nil, errors.New("vision: resize: the picture has fewer pixels than its size says")
	}
	return m.resizeX(width).resizeY(height), nil
}

// weights are the filter of one axis: pixel o of the result is the sum of values[start[o]:start[o+1]]
// times the pixels from first[o] on, in fixed point of precision bits.
type weights struct {
	first, start []int
	values       []int32
}

const precision = 22

// bicubic returns the weights that bring an axis from in to out pixels. Products are converted so
// that no compiler fuses them with a sum.
func bicubic(in, out int) weights {
	scale := float64(in) / float64(out)
	spread := max(scale, 1)
	support := 2 * spread
	w := weights{first: make([]int, out), start: make([]int, 1, out+1)}
	var row []float64
	for o := range out {
		center := float64((float64(o) + 0.5) * scale)
		lo := max(int(center-support+0.5), 0)
		hi := min(int(center+support+0.5), in)
		row = row[:0]
		sum := 0.0
		for x := lo; x < hi; x++ {
			v := cubic((float64(x) - center + 0.5) * (1 / spread))
			row = append(row, v)
			sum += v
		}
		for _, v := range row {
			if sum != 0 {
				v /= sum
			}
			w.values = append(w.values, int32(math.Round(v*(1<<precision))))
		}
		w.first[o] = lo
		w.start = append(w.start, len(w.values))
	}
	return w
}

// cubic is Keys' kernel with a = -1/2.
func cubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64(float64((float64((a+2)*x)-(a+3))*x)*x) + 1
	case x < 2:
		return float64((float64((float64((x-5)*x)+8)*x) - 4) * a)
	}
	return 0
}

// half is what rounds a sum to nearest.
const half = 1 << (precision - 1)

// resizeX resizes the rows.
func (m *Image) resizeX(width int) *Image {
	if width == m.Width {
		return m
	}
	w := bicubic(m.Width, width)
	out := newImage(width, m.Height)
	for y := range m.Height {
		src, dst := m.row(y), out.row(y)
		for o, first := range w.first {
			k := w.values[w.start[o]:w.start[o+1]]
			p := src[3*first:][:3*len(k)]
			r, g, b := int32(half), int32(half), int32(half)
			for len(k) >= 4 && len(p) >= 12 {
				r += k[0]*int32(p[0]) + k[1]*int32(p[3]) + k[2]*int32(p[6]) + k[3]*int32(p[9])
				g += k[0]*int32(p[1]) + k[1]*int32(p[4]) + k[2]*int32(p[7]) + k[3]*int32(p[10])
				b += k[0]*int32(p[2]) + k[1]*int32(p[5]) + k[2]*int32(p[8]) + k[3]*int32(p[11])
				k, p = k[4:], p[12:]
			}
			for i, k := range k {
				r += k * int32(p[3*i])
				g += k * int32(p[3*i+1])
				b += k * int32(p[3*i+2])
			}
			d := dst[3*o:][:3]
			d[0], d[1], d[2] = clip(r>>precision), clip(g>>precision), clip(b>>precision)
		}
	}
	return out
}

// resizeY resizes the columns, a row of sums at a time.
func (m *Image) resizeY(height int) *Image {
	if height == m.Height {
		return m
	}
	w := bicubic(m.Height, height)
	out := newImage(m.Width, height)
	sums := make([]int32, 3*m.Width)
	for o, first := range w.first {
		for i := range sums {
			sums[i] = half
		}
		k := w.values[w.start[o]:w.start[o+1]]
		for ; len(k) >= 4; k, first = k[4:], first+4 {
			addFour(sums, k, m.row(first), m.row(first+1), m.row(first+2), m.row(first+3))
		}
		for i, k := range k {
			src := m.row(first + i)[:len(sums)]
			for j := range sums {
				sums[j] += k * int32(src[j])
			}
		}
		dst := out.row(o)[:len(sums)]
		for j, s := range sums {
			dst[j] = clip(s >> precision)
		}
	}
	return out
}

// addFour adds four weighted rows.
func addFour(sums, k []int32, a, b, c, d []uint8) {
	a, b, c, d = a[:len(sums)], b[:len(sums)], c[:len(sums)], d[:len(sums)]
	ka, kb, kc, kd := k[0], k[1], k[2], k[3]
	for j := range sums {
		sums[j] += ka*int32(a[j]) + kb*int32(b[j]) + kc*int32(c[j]) + kd*int32(d[j])
	}
}
