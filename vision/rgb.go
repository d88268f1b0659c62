package vision

import (
	"image"
	"image/color"
)

// toRGB converts a decoded picture other than one with chroma planes. Where clip16, 16-bit grey is
// clipped to 255, as Pillow does for its mode I;16, in place of losing its low byte.
func toRGB(src image.Image, clip16 bool) *Image {
	b := src.Bounds()
	m := newImage(b.Dx(), b.Dy())
	for y := range m.Height {
		dst := m.row(y)
		switch s := src.(type) {
		case *image.Gray:
			for x, v := range s.Pix[y*s.Stride:][:m.Width] {
				dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
			}
		case *image.Gray16:
			clipRow(dst, s.Pix[y*s.Stride:], 2)
		case *image.NRGBA64:
			if clip16 {
				clipRow(dst, s.Pix[y*s.Stride:], 8)
			} else {
				highRow(dst, s.Pix[y*s.Stride:])
			}
		case *image.RGBA64:
			unassociatedRow(dst, s.Pix[y*s.Stride:], 2)
		case *image.NRGBA:
			src := s.Pix[y*s.Stride:]
			for x := range m.Width {
				copy(dst[3*x:3*x+3], src[4*x:4*x+3])
			}
		case *image.RGBA:
			unassociatedRow(dst, s.Pix[y*s.Stride:], 1)
		case *image.Paletted:
			paletteRow(dst, s.Pix[y*s.Stride:], s.Palette)
		}
	}
	return m
}

// clipRow clips 16-bit values, the first of each group of step bytes, and repeats them.
func clipRow(dst, src []uint8, step int) {
	for x := range len(dst) / 3 {
		v := src[step*x+1]
		if src[step*x] != 0 {
			v = 255
		}
		dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
	}
}

// highRow takes the high bytes of red, green and blue.
func highRow(dst, src []uint8) {
	for x := range len(dst) / 3 {
		dst[3*x], dst[3*x+1], dst[3*x+2] = src[8*x], src[8*x+2], src[8*x+4]
	}
}

// unassociatedRow divides colours by the alpha they were multiplied with, as Pillow reads TIFF
// files with associated alpha: the first of each width bytes of a sample counts.
func unassociatedRow(dst, src []uint8, width int) {
	for x := range len(dst) / 3 {
		p := src[4*width*x:]
		a := int(p[3*width])
		for c := range 3 {
			v := int(p[c*width])
			switch a {
			case 255:
			case 0:
				v = 0
			default:
				v = min(255*v/a, 255)
			}
			dst[3*x+c] = uint8(v)
		}
	}
}

// paletteRow looks colours up.
func paletteRow(dst, src []uint8, palette color.Palette) {
	var table [256][3]uint8
	for i, c := range palette[:min(len(palette), 256)] {
		table[i] = rgbOf(c)
	}
	for x := range len(dst) / 3 {
		copy(dst[3*x:3*x+3], table[src[x]][:])
	}
}

// rgbOf returns a palette's colour without its alpha.
func rgbOf(c color.Color) [3]uint8 {
	switch c := c.(type) {
	case color.NRGBA:
		return [3]uint8{c.R, c.G, c.B}
	case color.RGBA:
		return [3]uint8{c.R, c.G, c.B}
	}
	r, g, b, _ := c.RGBA()
	return [3]uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)}
}
