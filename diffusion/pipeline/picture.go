package pipeline

import (
	"math"

	"github.com/mminfer/mminfer/vision"
)

// fromImage is a picture as networks have it: [3, H, W] from -1 to 1.
func fromImage(m *vision.Image) []float32 {
	n := m.Width * m.Height
	x := make([]float32, 3*n)
	for i := range n {
		for k := range 3 {
			x[k*n+i] = float32(float64(m.Pix[3*i+k])/127.5 - 1)
		}
	}
	return x
}

// toImage clamps [3, H, W] to -1 to 1 and rounds it to bytes, halves to even ones.
func toImage(x []float32, width, height int) *vision.Image {
	n := width * height
	m := &vision.Image{Width: width, Height: height, Pix: make([]uint8, 3*n)}
	for i := range n {
		for k := range 3 {
			v := min(max(float64(x[k*n+i])/2+0.5, 0), 1)
			m.Pix[3*i+k] = uint8(math.RoundToEven(255 * v))
		}
	}
	return m
}

// shrink takes the value of a mask [.., width] at the first pixel of every place [h, w].
func shrink(mask []float32, width, h, w, factor int) []float64 {
	small := make([]float64, h*w)
	for y := range h {
		for x := range w {
			small[y*w+x] = float64(mask[y*factor*width+x*factor])
		}
	}
	return small
}
