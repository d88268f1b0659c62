package chart

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strconv"
	"strings"
)

// drawing is an SVG in the making.
type drawing struct {
	strings.Builder
	x, y  axis
	boxes []box // what labels may not cover
	lines []box // what they cover if there is no other place
}

func (d *drawing) addf(format string, args ...any) { fmt.Fprintf(d, format+"\n", args...) }

func (d *drawing) text(x, y float64, style, text string) {
	d.addf(`<text x="%.1f" y="%.1f" %s>%s</text>`, x, y, style, html.EscapeString(text))
}

// axes draws the grid, its numbers and the names of the axes.
func (d *drawing) axes(c Chart) {
	const line = `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#dddddd"/>`
	for _, v := range d.x.ticks {
		x := d.x.at(v)
		d.addf(line, x, float64(top), x, float64(bottom))
		d.text(x, bottom+18, `text-anchor="middle"`, number(v))
	}
	for _, v := range d.y.ticks {
		y := d.y.at(v)
		d.addf(line, float64(left), y, float64(right), y)
		d.text(left-8, y+4, `text-anchor="end"`, number(v))
	}
	d.text((left+right)/2, bottom+42, `text-anchor="middle"`, c.X)
	d.text(18, (top+bottom)/2, fmt.Sprintf(`text-anchor="middle" transform="rotate(-90 18 %d)"`, (top+bottom)/2), c.Y)
}

// series draws series i and its name.
func (d *drawing) series(s Series, k stroke, i int) {
	order := make([]int, len(s.X))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(s.X[i], s.X[j]) })
	var path []string
	for _, i := range order {
		x, y := d.x.at(s.X[i]), d.y.at(s.Y[i])
		path = append(path, fmt.Sprintf("%.1f,%.1f", x, y))
		d.addf(`<circle cx="%.1f" cy="%.1f" r="3.5" fill="%s"/>`, x, y, k.colour)
		d.boxes = append(d.boxes, around(x, y, 4))
		if at := len(path); at > 1 && !s.Points {
			before := order[at-2]
			d.keep(d.x.at(s.X[before]), d.y.at(s.Y[before]), x, y)
		}
	}
	at := float64(top + 8 + 20*i)
	if !s.Points {
		const line = `<polyline points="%s" fill="none" stroke="%s" stroke-width="2" stroke-dasharray="%s"/>`
		d.addf(line, strings.Join(path, " "), k.colour, k.dashes)
		d.addf(line, fmt.Sprintf("%d,%.1f %d,%.1f", right+16, at, right+46, at), k.colour, k.dashes)
	}
	d.addf(`<circle cx="%d" cy="%.1f" r="3.5" fill="%s"/>`, right+31, at, k.colour)
	d.text(right+54, at+4, "", s.Name)
}

// box is a rectangle of the picture.
type box struct{ left, top, right, bottom float64 }

func (b box) covers(c box) bool {
	return b.left < c.right && c.left < b.right && b.top < c.bottom && c.top < b.bottom
}

// count returns how many of the others it covers.
func (b box) count(others []box) (n int) {
	for _, c := range others {
		if b.covers(c) {
			n++
		}
	}
	return n
}

func around(x, y, r float64) box { return box{x - r, y - r, x + r, y + r} }

// keep keeps labels off a line where they have room elsewhere.
func (d *drawing) keep(x0, y0, x1, y1 float64) {
	n := math.Ceil(math.Hypot(x1-x0, y1-y0) / 4)
	for i := range int(n) {
		t := float64(i) / n
		d.lines = append(d.lines, around(x0+t*(x1-x0), y0+t*(y1-y0), 2))
	}
}

// labels writes the labels of a series where they cover no point and no other label; those for which there
// is no such place are left out.
func (d *drawing) labels(s Series, k stroke) {
	for i, label := range s.Labels {
		p, ok := d.place(d.x.at(s.X[i]), d.y.at(s.Y[i]), 7*float64(len(label))) // about the width of such letters
		if !ok {
			continue
		}
		d.boxes = append(d.boxes, p)
		d.text(p.left, p.bottom-2, fmt.Sprintf(`font-size="11" fill="%s" stroke="white" stroke-width="3" paint-order="stroke"`, k.colour), label)
	}
}

// place returns a box of that width near a point, over as little of lines as there is room for.
func (d *drawing) place(x, y, wide float64) (best box, ok bool) {
	const high = 11
	least := math.MaxInt
	for _, gap := range []float64{5, 12, 19} {
		for _, at := range []struct{ left, top float64 }{
			{x + 5, y - gap - high}, {x + 5, y + gap}, {x - 5 - wide, y - gap - high}, {x - 5 - wide, y + gap},
			{x - wide/2, y - gap - high}, {x - wide/2, y + gap}, {x + gap, y - high/2}, {x - gap - wide, y - high/2},
		} {
			b := box{at.left, at.top, at.left + wide, at.top + high}
			if b.left < left || b.right > right || b.bottom > bottom || b.count(d.boxes) > 0 {
				continue
			}
			if n := b.count(d.lines); n < least {
				best, least = b, n
			}
		}
	}
	return best, least < math.MaxInt
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
