package main

import (
	"image"
	"image/color"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"

	"github.com/mminfer/mminfer/vision"
)

// enlarge repeats every pixel n times on both axes.
func enlarge(m *vision.Image, n int) *vision.Image {
	if n <= 1 {
		return m
	}
	big := blank(m.Width*n, m.Height*n)
	for y := range big.Height {
		for x := range big.Width {
			copy(big.Pix[(y*big.Width+x)*3:][:3], m.Pix[(y/n*m.Width+x/n)*3:])
		}
	}
	return big
}

// blank is a white picture.
func blank(width, height int) *vision.Image {
	m := &vision.Image{Width: width, Height: height, Pix: make([]uint8, 3*width*height)}
	for i := range m.Pix {
		m.Pix[i] = 255
	}
	return m
}

// paste copies a picture into another one, which holds it.
func paste(on, m *vision.Image, x, y int) {
	for row := range m.Height {
		copy(on.Pix[((y+row)*on.Width+x)*3:], m.Pix[row*m.Width*3:][:m.Width*3])
	}
}

// squareColumns is the number of columns that makes a grid about square.
func squareColumns(n int) int { return int(math.Ceil(math.Sqrt(float64(n)))) }

// joined lays pictures of one size out in rows, without a gap.
func joined(pictures []*vision.Image, columns int) *vision.Image {
	rows := (len(pictures) + columns - 1) / columns
	w, h := pictures[0].Width, pictures[0].Height
	grid := blank(w*columns, h*rows)
	for i, m := range pictures {
		paste(grid, m, i%columns*w, i/columns*h)
	}
	return grid
}

// The letters of labels.
const (
	letterWidth  = 7
	letterHeight = 13
	labelMargin  = 4
)

// labelled lays out rows of pictures of one size with a label for each row and each column.
func labelled(pictures [][]*vision.Image, rows, columns []string) *vision.Image {
	w, h := pictures[0][0].Width, pictures[0][0].Height
	left := 0
	for _, r := range rows {
		left = max(left, len(r)*letterWidth+2*labelMargin)
	}
	cell := w
	for _, c := range columns {
		cell = max(cell, len(c)*letterWidth)
	}
	cell += 2 * labelMargin
	line := max(h, letterHeight) + labelMargin
	top := letterHeight + 2*labelMargin
	grid := blank(left+cell*len(columns), top+line*len(rows))
	for k, c := range columns {
		inscribe(grid, c, left+k*cell, labelMargin)
	}
	for i, r := range rows {
		y := top + i*line
		inscribe(grid, r, labelMargin, y+(line-labelMargin-letterHeight)/2)
		for k, m := range pictures[i] {
			paste(grid, m, left+k*cell, y)
		}
	}
	return grid
}

// canvas lets the standard library draw on a picture.
type canvas struct{ raster }

func (c canvas) Set(x, y int, v color.Color) {
	if image.Pt(x, y).In(c.Bounds()) {
		r, g, b, _ := v.RGBA()
		copy(c.Pix[(y*c.Width+x)*3:], []uint8{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8)})
	}
}

// inscribe writes a text in black.
func inscribe(m *vision.Image, text string, x, y int) {
	d := font.Drawer{Dst: canvas{raster{m}}, Src: image.Black, Face: basicfont.Face7x13, Dot: fixed.P(x, y+basicfont.Face7x13.Ascent)}
	d.DrawString(text)
}
